"""A scrub of all files against sha256sum, with a warm and with a cold cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from bench import ledgers, objects
from bench.comparison_tools import timed
from bench.figure import Figure, Target
from bench.ledgers import StoredFile
from bench.setting import Setting
from functions.scrub import wiring
from functions.scrub.checking import READERS
from functions.scrub.service import Report, Scrub
from local.servers.programs import find
from local.storage_owner import adopt
from shared import adapters
from shared.config.settings import Settings
from shared.ledger.verifications import Part

RATIO = 0.9


def measure(setting: Setting) -> Iterator[Figure]:
    """Measure many small files, and few large ones."""
    plan = setting.plan
    for name, number, size in (
        ("small", plan.scrubbed, plan.object_bytes),
        ("large", plan.together, plan.together_bytes),
    ):
        yield from _compare(setting, name, number, size)


def _compare(setting: Setting, name: str, number: int, size: int) -> Iterator[Figure]:
    storage = setting.folder / f"scrub-{name}"
    storage.mkdir()
    stack = setting.stack
    url = ledgers.make(stack.postgres.url, f"scrub_{name}", 0, lambda _: None)
    settings = Settings.from_mapping(stack.variables(url, {"STORAGE_PATH": str(storage)}))
    list(adopt(settings))
    done = setting.step(f"{number:,} {name} files", number)
    files, records = [], []
    for key in objects.keys(number):
        file = objects.write_random(storage / key, size)
        digest = hashlib.sha256(file.read_bytes()).digest()
        files.append(file)
        records.append(StoredFile(key, size, digest, ""))
        done(1)
    ledgers.add_stored(url, records, lambda _: None)
    os.sync()
    mebibytes = number * size / (1 << 20)
    shown = f"{size >> 10} KiB" if size < 1 << 20 else f"{size >> 20} MiB"
    for cache, prepare in (("warm", read), ("cold", drop)):
        ours, single, several = [], [], []
        with closing(adapters.ledger(settings)) as ledger:
            scrub = wiring.build(settings, ledger)
            for _ in setting.runs(f"scrub, {name} files, {cache} cache"):
                prepare(files)
                single.append(mebibytes / _sha256sum(files, 1))
                prepare(files)
                ours.append(mebibytes / _scrub(scrub, number))
                prepare(files)
                several.append(mebibytes / _sha256sum(files, READERS))
        what = f"scrub of {number:,} × {shown}, {cache} cache"
        target = Target(RATIO, ratio=True)
        yield Figure(what, ours, "MiB/s", target, single, "sha256sum")
        against = f"xargs --max-procs={READERS} sha256sum"
        yield Figure(what, ours, "MiB/s", target, several, against, _note(cache))
    shutil.rmtree(storage)


def read(files: Sequence[Path]) -> None:
    """Read files, so that the page cache has them as far as it holds them."""
    for file in files:
        with file.open("rb") as opened:
            while opened.read(1 << 20):
                pass


def drop(files: Sequence[Path]) -> None:
    """Have the page cache forget files that are on disk; no right is needed for it.

    Names and inodes stay in the kernel's memory (posix_fadvise(2)).
    """
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _scrub(scrub: Scrub, number: int) -> float:
    before = time.perf_counter()
    scrub.begin("bench", Part())
    report = scrub.go_on()
    taken = time.perf_counter() - before
    if report != Report(number, 0):
        raise AssertionError(f"{number} files, {report}")
    return taken


def _sha256sum(files: Sequence[Path], processes: int) -> float:
    names = "\0".join(map(str, files))
    line = [find("xargs", "findutils"), "--null", f"--max-procs={processes}"]
    # As many at a time as make the processes end together; one process gets all that fit.
    line += [f"--max-args={-(-len(files) // (4 * processes))}"] if processes > 1 else []
    line += [find("sha256sum", "coreutils"), "--binary"]
    return timed(line, {"PATH": os.defpath}, names)


def _note(cache: str) -> str:
    forgotten = "" if cache == "warm" else "; files are forgotten by posix_fadvise, inodes are not"
    return f"in a process that runs already; every result is recorded{forgotten}"
