"""A reconcile against `rclone check --size-only`: a bucket, and a folder with its copy."""

from __future__ import annotations

import gc
import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench import comparison_tools, ledgers, objects
from bench.comparison_tools import rclone_line, timed
from bench.figure import Figure, Target
from bench.ledgers import StoredFile
from bench.objects import ObjectServer
from bench.setting import Setting
from functions.reconcile import wiring
from local.storage_owner import adopt
from shared import adapters
from shared.config.settings import Settings
from shared.config.startup import GARBAGE_THRESHOLD
from shared.ledger.ledger import Ledger

CONTENT = b"sixteen bytes...\n"[:16]
"""Of every object: what is compared are names, sizes and ETags."""

IN_A_FOLDER = 1_000
CHECKERS = (8, 16, 32, 64)
TRANSFERS = 32


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare SeaweedFS with the ledger and the storage, and with the storage alone."""
    plan, stack, number = setting.plan, setting.stack, setting.plan.bucket_objects
    folder = setting.folder / "reconcile"
    storage = folder / "storage"
    url = ledgers.make(stack.postgres.url, "bucket", 0, lambda _: None)
    ours, theirs = [], []
    with objects.seaweedfs(folder) as server:
        _fill(setting, storage, server, url)
        settings = Settings.from_mapping(stack.variables(url, server.variables(storage)))
        list(adopt(settings))
        checkers = comparison_tools.fastest(
            CHECKERS, lambda checkers: _check(server, storage, checkers)
        )
        done = setting.step("reconcile", plan.bucket_runs)
        with closing(adapters.ledger(settings)) as ledger:
            for _ in range(plan.bucket_runs):
                theirs.append(number / _check(server, storage, checkers))
                ours.append(number / _reconcile(settings, ledger, number))
                done(1)
    shutil.rmtree(folder)
    yield Figure(
        f"reconcile of {number:,} objects, SeaweedFS",
        ours,
        "objects/s",
        Target(1, ratio=True),
        theirs,
        f"rclone check --size-only --fast-list --checkers {checkers}",
        "ours compares ETags and the ledger, too, and looks for files without an object",
    )


def _fill(setting: Setting, storage: Path, server: ObjectServer, url: str) -> None:
    """Make the files, copy them into the bucket, and record them."""
    number = setting.plan.bucket_objects
    digest, etag = hashlib.sha256(CONTENT).digest(), hashlib.md5(CONTENT).hexdigest()  # noqa: S324
    done = setting.step(f"ledger, folder and bucket of {number:,} objects", 3 * number)
    records = []
    for n in range(number):
        key = f"archive/{n // IN_A_FOLDER:04}/{n:07}.bin"
        file = storage / key
        if n % IN_A_FOLDER == 0:
            file.parent.mkdir(parents=True)
        file.write_bytes(CONTENT)
        records.append(StoredFile(key, len(CONTENT), digest, etag))
        done(1)
    ledgers.add_stored(url, records, done)
    line = rclone_line("copy", server, TRANSFERS)
    line += ["--transfers", str(TRANSFERS), "--no-check-dest", "--s3-no-head"]
    line += [str(storage), f":s3:{server.bucket}"]
    timed(line, comparison_tools.variables(server, setting.folder))
    done(number)


def _check(server: ObjectServer, storage: Path, checkers: int) -> float:
    line = rclone_line("check", server, checkers)
    line += ["--size-only", "--fast-list", "--exclude", "/.incoming/**"]
    line += [f":s3:{server.bucket}", str(storage)]
    return timed(line, comparison_tools.variables(server, storage.parent))


def _reconcile(settings: Settings, ledger: Ledger, number: int) -> float:
    gc.set_threshold(GARBAGE_THRESHOLD)  # as in the function's own process
    reconcile = wiring.build(settings, ledger)
    before = time.perf_counter()
    reconcile.begin("bench")
    report = reconcile.go_on()
    taken = time.perf_counter() - before
    if report.listed != number or report.findings or report.waiting:
        raise AssertionError(f"{number} objects, {report}")
    return taken
