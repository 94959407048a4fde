"""From RabbitMQ to files, against s5cmd and rclone on the same server and keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import comparison_tools, objects
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


def measure(setting: Setting) -> Iterator[Figure]:
    """Measure on SeaweedFS and on nginx."""
    plan, folder = setting.plan, setting.folder / "throughput"
    keys = objects.keys(plan.objects)
    done = setting.step("objects", plan.objects)
    files = []
    for key in keys:
        files.append(objects.write(folder, key, plan.object_bytes))
        done(1)
    with objects.seaweedfs(setting.folder) as server:
        _put(server, files, setting)
        yield from _compare(setting, server, keys)
    with objects.nginx(setting.folder, folder) as server:
        yield from _compare(setting, server, keys)


def _put(server: ObjectServer, files: Sequence[Path], setting: Setting) -> None:
    s3 = s3_client(Settings.from_mapping(server.variables(setting.folder)))
    done = setting.step(f"objects into {server.name}", len(files))
    for file in files:
        s3.put_object(Bucket=server.bucket, Key=file.name, Body=file.read_bytes())
        done(1)


def _compare(setting: Setting, server: ObjectServer, keys: Sequence[str]) -> Iterator[Figure]:
    stack, storage = setting.stack, setting.folder / "storage"
    storage.mkdir(exist_ok=True)
    number = len(keys)
    ours, by_s5cmd, by_rclone = [], [], []
    variables = stack.variables(setting.few, server.variables(storage))
    note = ""
    with triggering(variables, setting.folder) as pids:
        copy_all(stack, setting.few, keys[:WARM_UP], storage, pids)
        set_aside(storage)
        for _ in setting.runs(f"throughput from {server.name}"):
            folder = setting.folder / "comparison"
            by_s5cmd.append(number / comparison_tools.s5cmd(server, keys, folder))
            cpu, busy = sum(map(cpu_seconds, pids)), busy_seconds()
            seconds = copy_all(stack, setting.few, keys, storage, pids)
            cpu, busy = sum(map(cpu_seconds, pids)) - cpu, busy_seconds() - busy
            set_aside(storage)
            ours.append(number / seconds)
            by_rclone.append(number / comparison_tools.rclone(server, keys, folder))
            note = (
                f"processor time of one file in µs: workers {cpu / number * 1e6:.0f}, "
                f"the whole machine {busy / number * 1e6:.0f}"
            )
    name = f"throughput, {number:,} × {setting.plan.object_bytes >> 10} KiB, {server.name}"
    yield Figure(name, ours, "files/s", Target(2, ratio=True), by_s5cmd, "s5cmd run", note)
    yield Figure(
        name,
        ours,
        "files/s",
        Target(1.4, ratio=True),
        by_rclone,
        "rclone copy --files-from --no-traverse --transfers 16",
    )
