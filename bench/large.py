"""Large objects: the time of one, and the memory of one and of many at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from bench import comparison_tools, objects
from bench.figure import Figure, Target
from bench.objects import ObjectServer
from bench.processes import peak_mebibytes, tree
from bench.setting import Setting
from bench.stack import triggering
from bench.worker import copy_all, remove

MOST_MEBIBYTES = 200


def measure(setting: Setting) -> Iterator[Figure]:
    """Measure on nginx, which is no bottleneck."""
    plan, folder = setting.plan, setting.folder / "large"
    objects.write(folder, "large.bin", plan.large_bytes)
    objects.write(folder, "small.bin", plan.object_bytes)
    objects.write(folder, "huge.bin", plan.huge_bytes, random=False)
    together = [f"together-{number}.bin" for number in range(plan.together)]
    for name in together:
        objects.write(folder, name, plan.together_bytes, random=False)
    with objects.nginx(setting.folder, folder) as server:
        yield _time(setting, server)
        yield _memory(setting, server, ["huge.bin"], plan.huge_bytes)
        yield _memory(setting, server, together, plan.together_bytes)
    shutil.rmtree(folder)


def _time(setting: Setting, server: ObjectServer) -> Figure:
    ours, theirs = [], []
    storage, stack = _storage(setting), setting.stack
    with _one_worker(setting, server, storage) as pids:
        copy_all(stack, setting.few, ["small.bin"], storage, pids)
        remove(storage)
        for _ in setting.runs("large object"):
            theirs.append(comparison_tools.curl(server, "large.bin", setting.folder / "curl.bin"))
            ours.append(copy_all(stack, setting.few, ["large.bin"], storage, pids))
            remove(storage)
    return Figure(
        f"one object of {_size(setting.plan.large_bytes)}, from message to synced",
        ours,
        "s",
        Target(1.3, at_least=False, ratio=True),
        theirs,
        "curl to the same disk, without checksum or fsync",
    )


def _memory(setting: Setting, server: ObjectServer, keys: Sequence[str], size: int) -> Figure:
    storage, stack = _storage(setting), setting.stack
    peaks = []
    done = setting.step(f"memory of {len(keys)} × {_size(size)}", 1)
    with _one_worker(setting, server, storage) as pids:
        copy_all(stack, setting.few, keys, storage, pids)
        peaks.append(sum(peak_mebibytes(process) for pid in pids for process in tree(pid)))
        remove(storage)
    done(1)
    return Figure(
        f"memory while fetching {len(keys)} × {_size(size)}",
        peaks,
        "MiB",
        Target(MOST_MEBIBYTES, at_least=False),
        note="most resident memory of the worker's process since its start",
    )


def _one_worker(
    setting: Setting, server: ObjectServer, storage: Path
) -> AbstractContextManager[list[int]]:
    """Run a worker alone: an object has one anyway, and memory is meant for each."""
    more = {**server.variables(storage), "TRIGGERS": "1"}
    return triggering(setting.stack.variables(setting.few, more), setting.folder)


def _storage(setting: Setting) -> Path:
    storage = setting.folder / "storage"
    storage.mkdir(exist_ok=True)
    return storage


def _size(size: int) -> str:
    return f"{size >> 30} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"
