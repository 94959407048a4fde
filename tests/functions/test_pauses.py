"""Faults of the whole source or storage, through the real worker, source, storage and ledger."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from functions.sync_worker.breaker import Breaker
from functions.sync_worker.service import MARGIN_SECONDS, Config, SyncWorker
from functions.sync_worker.settler import Settler
from shared.config.settings import Settings
from shared.ledger.rows import NewObject
from shared.retry import RetryPolicy
from shared.sources.s3.source import S3Source
from shared.storage.local import LocalStorage
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.s3_server import Answer, Asked, FaultyServer, error, s3_object
from tests.helpers.servers import connect
from tests.helpers.waiting import until

PLENTY = 800.0
TRIES = 4
SOON = 30.0
Fault = Callable[[Asked], Answer | None]


class Site:
    """A ledger, a folder, and an S3 with a fault that a test switches on and off.

    Attributes:
        fault: returns a refusal in place of an object, or None.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.ledger = open_ledger(url)
        self.fault: Fault = lambda _: None
        self.server = FaultyServer(self._answer)
        self.grace = "300"
        self.access_key = "AKID"
        self.machine = "here"
        self._number = 0

    def _answer(self, asked: Asked) -> Answer:
        name = asked.path.partition("?")[0].removeprefix("/bucket/")
        if refused := self.fault(asked):
            return refused
        if name.startswith("external-storage-sync/"):
            return error(404, "NoSuchKey")
        return s3_object(name.encode() * 100)(asked)

    def add(self, *names: str) -> list[int]:
        rows = []
        for name in names:
            self._number += 1
            row_id = self.ledger.record(
                NewObject(
                    oeid="o",
                    ref_id="r",
                    file_name=name,
                    file_type="t/t",
                    payload_checksum=hashlib.sha256(f"{self._number}".encode()).digest(),
                    request_id=f"request-{self._number}",
                ),
                30,
            )
            assert row_id is not None
            rows.append(row_id)
        return rows

    @contextmanager
    def worker(self) -> Iterator[SyncWorker]:
        """A worker as its wiring builds it, with the site's settings of this moment."""
        source = S3Source(
            Settings.from_mapping(
                {
                    "AWS_S3_BUCKET_NAME": "bucket",
                    "AWS_S3_ACCESS_KEY_ID": self.access_key,
                    "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
                    "AWS_S3_REGION_NAME": "us-east-1",
                    "AWS_ENDPOINT_URL_S3": self.server.url,
                    "MISSING_OBJECT_SECONDS": self.grace,
                    "SOURCE_STALL_SECONDS": "2",
                }
            )
        )
        storage = LocalStorage(self.folder)
        breaker = Breaker(own_ledger(self.ledger, "worker").pauses, source, storage, self.machine)
        policy = RetryPolicy(TRIES, least_seconds=0.5, most_seconds=0.5)
        settler = Settler(
            own_ledger(self.ledger, "worker"), storage, policy, breaker, jitter=lambda: 0.0
        )
        try:
            yield SyncWorker(
                Config(60.0, TRIES),
                own_ledger(self.ledger, "worker"),
                source,
                storage,
                settler,
                breaker,
            )
        finally:
            source.close()

    def query(self, statement: str) -> list[Any]:
        connection = connect(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def states(self) -> dict[str, int]:
        return dict(self.query("SELECT state, count(*) FROM file_sync GROUP BY state"))

    def claimed(self) -> int:
        """Rows that a worker has in hand."""
        statement = "SELECT count(*) FROM file_sync WHERE leased_until IS NOT NULL"
        return int(self.query(statement)[0][0])

    def counted(self) -> int:
        """The most counted attempts that were not the one that succeeded."""
        statement = """
            SELECT max(attempts - attempts_forgiven - CASE state WHEN 'synced' THEN 1 ELSE 0 END)
              FROM file_sync"""
        return int(self.query(statement)[0][0])

    def paused(self) -> list[str]:
        return [part for (part,) in self.query("SELECT part FROM pause ORDER BY part")]

    def strike(self, fault: Fault, seconds: float = 2.5) -> None:
        """Switch a fault on that ends so many seconds after it is first met."""
        ends: list[float] = []

        def passing(asked: Asked) -> Answer | None:
            ends.append(time.monotonic() + seconds)
            return fault(asked) if time.monotonic() < ends[0] else None

        self.fault = passing


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "storage"
    folder.mkdir()
    site = Site(database_url, folder)
    with site.server:
        yield site
    site.ledger.close()


def names(count: int) -> list[str]:
    return [f"folder/{number}" for number in range(count)]


def work(worker: SyncWorker, rows: list[int], seconds: float = PLENTY) -> None:
    """Work until the platform would stop the worker, with its margin on top."""
    deadline = time.monotonic() + MARGIN_SECONDS + seconds
    worker.work(rows, lambda: deadline - time.monotonic())


def pause(site: Site, worker: SyncWorker, rows: list[int], part: str) -> None:
    """Work until a part is paused and what was attempted by then has been recorded.

    The end is a condition: seconds would leave attempts without time on a busy machine.
    """
    deadline = time.monotonic() + MARGIN_SECONDS + SOON
    look_at, is_done = 0.0, False

    def remaining() -> float:
        nonlocal look_at, is_done
        if time.monotonic() >= look_at and not is_done:
            is_done = site.paused() == [part] and not site.claimed()
            look_at = time.monotonic() + 0.1
        return 0.0 if is_done else deadline - time.monotonic()

    worker.work(rows, remaining)
    assert site.paused() == [part]


def finish(site: Site, worker: SyncWorker, rows: list[int], states: dict[str, int]) -> None:
    """Deliver the rows again, as requeue does, until they have ended in these states."""

    def done() -> bool:
        work(worker, rows)
        return site.states() == states

    until(done, str(states), SOON)


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [r.message for r in caplog.records if r.levelno == level and "s3" not in r.name]


REFUSALS: dict[str, Fault] = {
    "bucket deleted": lambda _: error(404, "NoSuchBucket"),
    "access refused": lambda _: error(403, "AccessDenied"),
    "unknown key": lambda _: error(403, "InvalidAccessKeyId"),
    "failing": lambda _: error(500, "InternalError"),
    "overloaded": lambda _: error(503, "SlowDown"),
}


@pytest.mark.parametrize(
    ("name", "grace"), [*((name, "300") for name in REFUSALS), ("access refused", "0")]
)
def test_a_refusal_of_all_objects_uses_up_no_attempt(
    name: str, grace: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.grace = grace
    rows = site.add(*names(50))
    site.strike(REFUSALS[name])
    with site.worker() as worker:
        work(worker, rows)
    assert site.states() == {"synced": 50}
    assert site.counted() == 0
    assert site.paused() == []
    assert len(lines(caplog, logging.WARNING)) <= 1 + 2  # two may fail before it is certain
    assert [line for line in lines(caplog, logging.INFO) if "pause" in line] == ["pause ended"]
    assert (
        site.query(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM sync_attempt"
            " WHERE outcome = 'retry' GROUP BY file_sync_id) AS t"
        )[0][0]
        == 1
    )


def test_a_single_object_waits_out_an_outage_of_the_source(site: Site) -> None:
    with site.worker() as worker:
        work(worker, site.add("before"))
        rows = site.add("a")
        site.strike(REFUSALS["failing"])
        work(worker, rows)
    assert site.states() == {"synced": 2}
    assert site.counted() == 0


def test_one_object_that_is_refused_is_failed_alone(site: Site) -> None:
    site.grace = "0"
    rows = site.add(*names(50))
    site.fault = lambda asked: error(403, "AccessDenied") if asked.path.endswith("/7") else None
    with site.worker() as worker:
        finish(site, worker, rows, {"synced": 49, "failed": 1})
    failed = site.query(
        "SELECT file_name, last_error, attempts FROM file_sync WHERE state = 'failed'"
    )
    assert [(name, tries) for name, _, tries in failed] == [("folder/7", 3)]
    assert "s3:GetObject is not granted" in failed[0][1]


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "AccessDenied"])
def test_objects_that_are_always_refused_hold_up_no_other(code: str, site: Site) -> None:
    site.grace = "0"
    refused = site.add(*(f"private/{number}" for number in range(4)))
    site.fault = lambda asked: None if "public" in asked.path else error(403, code)
    if code == "SignatureDoesNotMatch":  # of these names alone; the others above lack a right
        site.fault = lambda asked: error(403, code) if "private" in asked.path else None
    with site.worker() as worker:
        work(worker, refused, 1.0)
        rows = [*refused, *site.add(*(f"public/{number}" for number in range(20)))]
        finish(site, worker, rows, {"synced": 20, "failed": 4})
    assert site.paused() == []


def test_a_folder_that_is_refused_is_failed_alone(site: Site) -> None:
    site.grace = "0"
    refused = site.add(*(f"private/{number}" for number in range(20)))
    site.fault = lambda asked: error(403, "AccessDenied") if "private" in asked.path else None
    with site.worker() as worker:
        work(worker, site.add("public"))
        rows = [*refused, *site.add("another")]
        finish(site, worker, rows, {"synced": 2, "failed": 20})
    assert site.paused() == []


def test_an_object_that_is_missing_without_the_right_to_list_is_waited_for(site: Site) -> None:
    rows = site.add("late")
    site.fault = lambda _: error(403, "AccessDenied")
    with site.worker() as worker:
        work(worker, rows)
        (error_shown,) = site.query("SELECT last_error FROM file_sync")[0]
        assert error_shown.startswith(
            "The object store refuses access, or the object does not exist yet"
        )
        site.fault = lambda _: None
        finish(site, worker, rows, {"synced": 1})


def test_a_wrong_key_is_one_problem_until_it_is_fixed(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    rows = site.add(*names(50))
    site.fault = lambda asked: (
        None
        if "Credential=RIGHT" in asked.headers["authorization"]
        else error(403, "SignatureDoesNotMatch")
    )
    with site.worker() as worker:
        pause(site, worker, rows, "source")
    assert site.states() == {"queued": 50}
    assert len(lines(caplog, logging.WARNING)) == 1
    site.access_key = "RIGHT"
    with site.worker() as worker:  # a worker that starts probes at once
        work(worker, rows)
    assert site.states() == {"synced": 50}
    assert site.counted() == 0


def test_a_source_that_is_down_pauses(site: Site) -> None:
    rows = site.add(*names(20))
    site.server.__exit__(None, None, None)
    with site.worker() as worker:
        pause(site, worker, rows, "source")
    assert site.states() == {"queued": 20}
    assert site.counted() == 0


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Callable[[str], None]]:
    command = ["mount", "-t", "tmpfs", "-o", options, "pauses", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")

    def remount(changed: str) -> None:
        again = ["mount", "-o", f"remount,{changed}", str(folder)]
        subprocess.run(again, check=True, timeout=60)

    try:
        yield remount
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=60)


def test_a_storage_that_is_full_or_read_only_pauses_its_own_machine_alone(
    site: Site, tmp_path: Path
) -> None:
    with mounted(site.folder, "size=4m") as remount:
        filler = site.folder / "filler"
        filler.write_bytes(bytes(2_000_000))
        with pytest.raises(OSError, match="No space"), filler.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        rows = site.add(*names(30))
        with site.worker() as worker:
            pause(site, worker, rows, "storage:here")
        assert site.states() == {"queued": 30}
        other = tmp_path / "elsewhere"
        other.mkdir()
        here, site.folder, site.machine = site.folder, other, "there"
        with site.worker() as worker:
            work(worker, rows)
        assert site.states() == {"synced": 30}
        site.folder, site.machine = here, "here"
        filler.unlink()
        remount("ro")
        rows = site.add(*(f"more/{number}" for number in range(20)))
        with site.worker() as worker:
            pause(site, worker, rows, "storage:here")
            assert site.states() == {"queued": 20, "synced": 30}
            remount("rw")
            finish(site, worker, rows, {"synced": 50})
    assert site.counted() == 0
    assert site.paused() == []
