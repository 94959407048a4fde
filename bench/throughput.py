"""From RabbitMQ to files, against s5cmd and rclone on the same server and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import comparison_tools, objects
from bench.comparison_tools import RCLONE_TRANSFERS, S5CMD_WORKERS, Copied
from bench.figure import Figure, Target
from bench.objects import ObjectServer
from bench.processes import busy_seconds, cpu_seconds
from bench.setting import Setting
from bench.stack import triggering
from bench.worker import copy_all, set_aside
from shared.aws.s3 import s3_client
from shared.config.settings import Settings

WARM_UP = 100
"""Objects copied before the clock runs, so that boto3 is loaded and connections are open."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What our ratio to each program must reach, from one server."""

    s5cmd: float
    rclone: float


@dataclass(slots=True)
class _Tool:
    """A program that we are compared with.

    Attributes:
        copy: runs it for some keys, with one of its settings.
        called: its command line, with a place for the setting.
        settings: from which the fastest is chosen.
        target: what our ratio to it must reach.
        runs: what it took.
        setting: the fastest.
        tried: files a second with each setting.
    """

    copy: Callable[[Sequence[str], int], Copied]
    called: str
    settings: Sequence[int]
    target: float
    runs: list[Copied] = field(default_factory=list)
    setting: int = 0
    tried: dict[int, float] = field(default_factory=dict)

    def choose(self, keys: Sequence[str]) -> None:
        """Try every setting once with these objects."""

        def take(setting: int) -> float:
            seconds = self.copy(keys, setting).seconds
            self.tried[setting] = len(keys) / seconds
            return seconds

        self.setting = comparison_tools.fastest(self.settings, take)

    def figures(self, name: str, ours: Sequence[float], number: int) -> Iterator[Figure]:
        """Yield our figure against the program alone, and against it with `sync` behind it."""
        target, called = Target(self.target, ratio=True), self.called.format(self.setting)
        tried = ", ".join(f"{setting}: {rate:.0f}" for setting, rate in self.tried.items())
        alone = [number / run.seconds for run in self.runs]
        synced = [number / run.synced_seconds for run in self.runs]
        note = f"files/s in one try each, by the setting of {called}: {tried}"
        yield Figure(name, ours, "files/s", target, alone, called, note)
        yield Figure(f"{name}, on disk", ours, "files/s", target, synced, f"{called}, then sync")


def measure(setting: Setting) -> Iterator[Figure]:
    """Measure on SeaweedFS and on nginx."""
    plan, folder = setting.plan, setting.folder / "throughput"
    done = setting.step("objects", plan.objects)
    files = []
    for key in objects.keys(plan.objects):
        files.append(objects.write(folder, key, plan.object_bytes))
        done(1)
    with objects.seaweedfs(setting.folder) as server:
        _put(server, files, setting)
        yield from _compare(setting, server, Targets(s5cmd=2, rclone=1.5))
    with objects.nginx(setting.folder, folder, objects.RUNS) as server:
        yield from _compare(setting, server, Targets(s5cmd=2, rclone=1.25))


def _put(server: ObjectServer, files: Sequence[Path], setting: Setting) -> None:
    """Put every object once for each run, and once for what comes before them."""
    s3 = s3_client(Settings.from_mapping(server.variables(setting.folder)))
    runs = setting.plan.runs + 1
    done = setting.step(f"objects into {server.name}", runs * len(files))
    for run in range(runs):
        for key, file in zip(objects.keys(len(files), run), files, strict=True):
            s3.put_object(Bucket=server.bucket, Key=key, Body=file.read_bytes())
            done(1)


def _compare(setting: Setting, server: ObjectServer, targets: Targets) -> Iterator[Figure]:
    stack, storage, folder = setting.stack, setting.folder / "storage", setting.folder / "compared"
    storage.mkdir(exist_ok=True)
    number = setting.plan.objects
    keys = objects.keys(number)
    ours = []
    tools = [
        _Tool(
            lambda keys, workers: comparison_tools.s5cmd(server, keys, folder, workers),
            "s5cmd --numworkers {} run",
            S5CMD_WORKERS,
            targets.s5cmd,
        ),
        _Tool(
            lambda keys, transfers: comparison_tools.rclone(server, keys, folder, transfers),
            "rclone copy --files-from --no-traverse --transfers {0} --checkers {0}",
            RCLONE_TRANSFERS,
            targets.rclone,
        ),
    ]
    done = setting.step(f"settings of the tools, {server.name}", len(tools))
    for tool in tools:
        tool.choose(keys)
        done(1)
    variables = stack.variables(setting.few, server.variables(storage))
    note = ""
    with triggering(variables, setting.folder) as pids:
        copy_all(stack, setting.few, keys[:WARM_UP], storage, pids)
        set_aside(storage)
        for run in setting.runs(f"throughput from {server.name}"):
            keys = objects.keys(number, run + 1)
            tools[0].runs.append(tools[0].copy(keys, tools[0].setting))
            cpu, busy = sum(map(cpu_seconds, pids)), busy_seconds()
            seconds = copy_all(stack, setting.few, keys, storage, pids)
            cpu, busy = sum(map(cpu_seconds, pids)) - cpu, busy_seconds() - busy
            set_aside(storage)
            ours.append(number / seconds)
            tools[1].runs.append(tools[1].copy(keys, tools[1].setting))
            note = (
                f"processor time of one file in µs: workers {cpu / number * 1e6:.0f}, "
                f"the whole machine {busy / number * 1e6:.0f}"
            )
    size = f"{setting.plan.object_bytes >> 10} KiB"
    name = f"throughput, {number:,} × {size}, {server.name}"
    yield Figure(name, ours, "files/s", note=note)
    for tool in tools:
        yield from tool.figures(name, ours, number)
