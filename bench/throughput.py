"""From RabbitMQ to files, against s5cmd and rclone on the same server and keys."""

from __future__ import annotations

import statistics
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


@dataclass(frozen=True, slots=True)
class Ours:
    """One run of ours.

    Attributes:
        rate: files a second.
        workers: their processor time for a file, in µs.
        busy: that of the whole machine.
    """

    rate: float
    workers: float
    busy: float


@dataclass(slots=True)
class _Tool:
    """A program that we are compared with.

    Attributes:
        copy: runs it for some keys, with one of its settings.
        called: its command line, with a place for the setting.
        settings: from which the fastest is chosen.
        target: what our ratio to it must reach.
        runs: what it took.
        busy: processor time of the whole machine for a file of each run, in µs.
        setting: the fastest.
        tried: files a second with each setting.
    """

    copy: Callable[[Sequence[str], int], Copied]
    called: str
    settings: Sequence[int]
    target: float
    runs: list[Copied] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    setting: int = 0
    tried: dict[int, float] = field(default_factory=dict)

    def run(self, keys: Sequence[str]) -> None:
        """Copy objects with the fastest setting."""
        busy = busy_seconds()
        self.runs.append(self.copy(keys, self.setting))
        self.busy.append((busy_seconds() - busy) / len(keys) * 1e6)

    def choose(self, keys: Sequence[str]) -> None:
        """Try every setting once with these objects."""

        def take(setting: int) -> float:
            seconds = self.copy(keys, setting).seconds
            self.tried[setting] = len(keys) / seconds
            return seconds

        self.setting = comparison_tools.fastest(self.settings, take)

    def figures(self, name: str, ours: Sequence[float], number: int) -> Iterator[Figure]:
        """Yield our figure against the program alone, and against it with `sync` behind it."""
        target, called = (
            Target(self.target, ratio=True, every=True),
            self.called.format(self.setting),
        )
        tried = ", ".join(f"{setting}: {rate:.0f}" for setting, rate in self.tried.items())
        alone = [number / run.seconds for run in self.runs]
        synced = [number / run.synced_seconds for run in self.runs]
        note = f"files/s in one try each, by the setting of {called}: {tried}"
        yield Figure(name, ours, "files/s", target, alone, called, note)
        yield Figure(f"{name}, on disk", ours, "files/s", target, synced, f"{called}, then sync")

    def processor_figure(self, name: str, ours: Sequence[Ours]) -> Figure:
        """Return what a file costs us, against the program; a rate also depends on who waits."""
        target = Target(round(1 / self.target, 2), at_least=False, ratio=True)
        called = f"{self.called.format(self.setting)}, both with the store"
        return Figure(name, [run.busy for run in ours], "µs", target, self.busy, called)


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
    ours = []
    with triggering(variables, setting.folder) as pids:
        copy_all(stack, setting.few, keys[:WARM_UP], storage, pids)
        set_aside(storage)
        for run in setting.runs(f"throughput from {server.name}"):
            keys = objects.keys(number, run + 1)
            tools[0].run(keys)
            ours.append(_copied(setting, keys, storage, pids))
            tools[1].run(keys)
    size = f"{setting.plan.object_bytes >> 10} KiB"
    name = f"throughput, {number:,} × {size}, {server.name}"
    rates = [run.rate for run in ours]
    cpu = statistics.median(run.workers for run in ours)
    yield Figure(name, rates, "files/s", note=f"the workers take {cpu:.0f} µs for a file")
    for tool in tools:
        yield from tool.figures(name, rates, number)
        yield tool.processor_figure(f"processor time of a file, {server.name}", ours)


def _copied(setting: Setting, keys: Sequence[str], storage: Path, pids: Sequence[int]) -> Ours:
    """Copy objects with our workers."""
    used: list[tuple[float, float]] = []

    def read() -> None:
        used.append((sum(map(cpu_seconds, pids)), busy_seconds()))

    seconds = copy_all(setting.stack, setting.few, keys, storage, pids, begin=read)
    read()
    set_aside(storage)
    workers, busy = (after - before for before, after in zip(*used, strict=True))
    number = len(keys)
    return Ours(number / seconds, workers / number * 1e6, busy / number * 1e6)
