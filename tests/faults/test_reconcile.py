"""A bucket of 50,000 objects, compared by a process that is killed again and again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bench.processes import peak_mebibytes
from shared.ledger.ledger import Ledger
from shared.ledger.runs import Kind, RunState
from tests.helpers.bucket_rule import BucketRule, Listed, md5
from tests.helpers.paths import ROOT
from tests.helpers.s3_server import FaultyServer
from tests.helpers.servers import execute
from tests.helpers.waiting import until

OBJECTS = 50_000
MISSED, MISSING, TRUNCATED = 500, 200, 20
MOST_MEBIBYTES = 200

CODE = """
import sys
from functions.reconcile import wiring
sys.exit(bool(wiring.reconcile().go_on().waiting))
"""


def name(number: int) -> str:
    return f"{number // 1_000:02}/object {number:05}.jpg"


@pytest.mark.faults
def test_a_large_bucket_is_compared_whatever_dies(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    storage = tmp_path / "storage"
    for number in range(OBJECTS):
        file = storage / name(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    execute(
        database_url,
        "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id,"
        " state, synced_at, placed_at, file_path, size_bytes, sha256, etag)"
        " SELECT '', '', name, 'image/jpeg', sha256(name::bytea), '', 'synced', now(), now(), name,"
        f" 1, sha256('x'), '{md5(b'x')}' FROM (SELECT lpad((n / 1000)::text, 2, '0') || '/object '"
        f" || lpad(n::text, 5, '0') || '.jpg' AS name FROM generate_series(0, {OBJECTS - 1}) AS n"
        ") AS names",
        "ANALYZE file_sync",
    )
    wrong = chance.sample(range(OBJECTS), MISSING + TRUNCATED)
    for number in wrong[:MISSING]:
        (storage / name(number)).unlink()
    for number in wrong[MISSING:]:
        (storage / name(number)).write_bytes(b"")
    objects = {name(number): Listed(1, md5(b"x")) for number in range(OBJECTS)}
    objects |= {f"{number:02}/new": Listed(2) for number in range(MISSED)}
    ledger = Ledger.at(database_url)
    with FaultyServer(BucketRule(objects)) as server:
        variables = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            "STORAGE_PATH": str(storage),
            "AWS_S3_BUCKET_NAME": "bucket",
            "AWS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_ENDPOINT_URL_S3": server.url,
            "LOCAL_RUN": "1",
        }
        run_id = ledger.runs.begin(Kind.RECONCILE, "test", {"prefix": "", "enqueue": False})
        assert run_id is not None

        def seen() -> int:
            numbers = ledger.runs.get(run_id).numbers
            return numbers.get("listed", 0) + numbers.get("files", 0)

        peak = 0.0
        while ledger.runs.get(run_id).state is RunState.RUNNING:
            execute(database_url, "UPDATE run SET leased_until = now()")
            before, step = seen(), chance.randrange(5_000, 60_000)
            process = subprocess.Popen([sys.executable, "-c", CODE], cwd=ROOT, env=variables)
            until(lambda: process.poll() is not None or seen() > before + step, seconds=120)  # noqa: B023
            if process.poll() is None:
                peak = max(peak, peak_mebibytes(process.pid))
                process.kill()
            process.wait()
        run = ledger.runs.get(run_id)
        found = [one.finding for one in ledger.runs.findings(run_id)]
    ledger.close()
    assert peak < MOST_MEBIBYTES
    assert {kind: found.count(kind) for kind in set(found)} == {
        "missed": MISSED,
        "missing": MISSING,
        "different": TRUNCATED,
    }
    assert run.numbers["matching"] == OBJECTS - MISSING - TRUNCATED
    assert run.numbers["listed"] == OBJECTS + MISSED
    assert run.numbers["files"] == OBJECTS - MISSING
