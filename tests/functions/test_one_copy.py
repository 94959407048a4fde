"""Rows of one name: one download, by the real worker, over a real S3 server, storage and ledger."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from functions.sync_worker.breaker import Breaker
from functions.sync_worker.service import Config, SyncWorker
from functions.sync_worker.settler import Settler
from shared.config.settings import Settings
from shared.ledger.rows import NewObject
from shared.metrics import tally
from shared.metrics.catalog import ATTEMPTS, BYTES
from shared.retry import RetryPolicy
from shared.sources.s3.source import S3Source
from shared.storage.local import LocalStorage
from shared.storage.reading import StorageReader, Verdict
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.s3_server import Answer, Asked, FaultyServer, error, s3_object
from tests.helpers.servers import connect, execute
from tests.helpers.waiting import until

PLENTY = 800.0
A, B = b"version A" * 1_000, b"version B" * 1_000


def etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


class Site:
    """A ledger, a folder, and an S3 whose object a test replaces.

    Attributes:
        body: what the object is now.
        before: called with each request; its answer, if it returns one, is sent in place of S3's.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.ledger = open_ledger(url)
        self.body = A
        self.before: Callable[[Asked], Answer | None] = lambda _: None
        self.answers: list[int] = []
        self.server = FaultyServer(self._answer)
        self._number = 0

    def _answer(self, asked: Asked) -> Answer:
        answer = self.before(asked) or s3_object(self.body)(asked)
        self.answers.append(int(answer.status))
        return answer

    @property
    def bodies(self) -> int:
        """The number of times that the object was sent."""
        return self.answers.count(HTTPStatus.OK)

    def add(self, number: int = 1, name: str = "folder/a b.txt") -> list[int]:
        rows = []
        for _ in range(number):
            self._number += 1
            checksum = hashlib.sha256(f"{self._number}".encode()).digest()
            request_id = f"request-{self._number}"
            row_id = self.ledger.record(NewObject("o", "r", name, "t/t", checksum, request_id), 30)
            assert row_id is not None
            rows.append(row_id)
        return rows

    @contextmanager
    def worker(self) -> Iterator[SyncWorker]:
        """A worker as its wiring builds it."""
        values = {
            "AWS_S3_BUCKET_NAME": "bucket",
            "AWS_S3_ACCESS_KEY_ID": "AKID",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.server.url,
            "STORAGE_PATH": str(self.folder),
        }
        source = S3Source(Settings.from_mapping(values))
        storage = LocalStorage(self.folder)
        breaker = Breaker(own_ledger(self.ledger, "worker").pauses, source, storage, "here")
        policy = RetryPolicy(4, least_seconds=0.5, most_seconds=0.5)
        settler = Settler(
            own_ledger(self.ledger, "worker"), storage, policy, breaker, jitter=lambda: 0.0
        )
        try:
            yield SyncWorker(
                Config(60.0, 4),
                own_ledger(self.ledger, "worker"),
                source,
                storage,
                settler,
                breaker,
            )
        finally:
            source.close()

    def work(self, *rows: int) -> dict[str, int]:
        with self.worker() as worker:
            return {o.value: n for o, n in worker.work(rows, lambda: PLENTY).items()}

    def query(self, statement: str) -> list[Any]:
        connection = connect(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def sql(self, statement: str) -> None:
        execute(self.url, statement)

    def recorded(self) -> set[tuple[str, str, int, bytes, str]]:
        """What the rows have of their files, each different one once."""
        found = self.query("SELECT state, etag, size_bytes, sha256, verified_by FROM file_sync")
        return {(s, e, size, bytes(digest or b""), v) for s, e, size, digest, v in found}

    def files(self) -> dict[str, bytes]:
        found = [p for p in self.folder.rglob("*") if p.is_file()]
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in found}


def of(body: bytes) -> set[tuple[str, str, int, bytes, str]]:
    return {("synced", etag(body), len(body), hashlib.sha256(body).digest(), "md5")}


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "storage"
    folder.mkdir()
    site = Site(database_url, folder)
    with site.server:
        yield site
    site.ledger.close()


def test_two_rows_of_one_batch_cost_one_download(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tally.process.take()
    assert site.work(*site.add(2)) == {"synced": 2}
    assert site.answers == [HTTPStatus.OK, HTTPStatus.NOT_MODIFIED]
    assert site.files() == {"folder/a b.txt": A}
    assert site.recorded() == of(A)
    lines = [r.__dict__ for r in caplog.records if r.getMessage() == "object synced"]
    assert [(line["in_place"], line["verified_by"]) for line in lines] == [
        (False, "md5"),
        (True, "md5"),
    ]
    counted = tally.process.take().counts
    assert counted[ATTEMPTS, ("synced", "ok")] == counted[ATTEMPTS, ("synced", "in_place")] == 1
    assert counted[BYTES, ()] == len(A)


def test_two_workers_with_a_row_each_at_the_same_moment_cost_one_download(site: Site) -> None:
    for body in (A, B):  # nothing is in place at first, an older version then
        site.body = body
        together = threading.Barrier(2)
        with site.worker() as one, site.worker() as other:

            def work(worker: SyncWorker, row_id: int, start: threading.Barrier = together) -> None:
                start.wait()
                worker.work([row_id], lambda: PLENTY)

            rows = site.add(2)
            pairs = zip((one, other), rows, strict=True)
            threads = [threading.Thread(target=work, args=pair) for pair in pairs]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        site.work(*rows)  # a worker that was not run for 2 s has left its own
        assert site.files() == {"folder/a b.txt": body}
    assert site.bodies == 2
    assert [state for (state,) in site.query("SELECT state FROM file_sync")] == ["synced"] * 4


def test_a_worker_goes_on_with_the_rows_that_waited_elsewhere_for_its_slow_one(
    site: Site,
) -> None:
    first, second = site.add(2)
    left = threading.Event()

    def slow(asked: Asked) -> Answer | None:
        if "if-none-match" not in asked.headers:
            assert left.wait(30)
        return None

    site.before = slow
    with site.worker() as one, site.worker() as other:
        thread = threading.Thread(target=one.work, args=([first], lambda: PLENTY))
        thread.start()
        until(lambda: site.query(f"SELECT leased_until FROM file_sync WHERE id = {first}")[0][0])
        assert other.work([second], lambda: PLENTY) == {}
        due = f"SELECT due_at <= now(), leased_until FROM file_sync WHERE id = {second}"
        assert site.query(due) == [(True, None)]
        left.set()
        thread.join()
    assert site.recorded() == of(A)
    assert site.bodies == 1


def test_many_rows_of_one_object_cost_one_download(site: Site) -> None:
    assert site.work(*site.add(300)) == {"synced": 300}
    assert site.bodies == 1
    assert site.recorded() == of(A)


def test_a_new_version_is_downloaded_once_for_its_rows(site: Site) -> None:
    site.work(*site.add(2))
    site.body = B
    assert site.work(*site.add(2)) == {"synced": 2}
    assert site.answers == [200, 304, 200, 304]
    assert site.files() == {"folder/a b.txt": B}
    assert [e for (e,) in site.query("SELECT etag FROM file_sync ORDER BY id")] == [
        etag(A),
        etag(A),
        etag(B),
        etag(B),
    ]


def test_a_row_whose_sibling_fails_does_not_wait_for_it(site: Site) -> None:
    first, second = site.add(2)
    refusals = iter([error(HTTPStatus.NOT_FOUND, "NoSuchKey")])
    site.before = lambda _: next(refusals, None)
    assert site.work(first, second) == {"retry": 1, "synced": 1}
    site.sql("UPDATE file_sync SET next_attempt_at = now()")
    assert site.work(first) == {"synced": 1}
    assert site.answers == [404, 200, 304]
    assert site.recorded() == of(A)


def damage(file: Path) -> None:
    file.write_bytes(b"X" + A[1:])


def cut(file: Path) -> None:
    file.write_bytes(A[:-1])


@pytest.mark.parametrize("spoil", [damage, cut, Path.unlink])
def test_a_file_that_is_not_as_recorded_is_downloaded_again(
    site: Site, spoil: Callable[[Path], object]
) -> None:
    site.work(*site.add())
    spoil(site.folder / "folder" / "a b.txt")
    assert site.work(*site.add()) == {"synced": 1}
    assert site.answers == [200, 304, 200]
    assert site.files() == {"folder/a b.txt": A}
    assert site.recorded() == of(A)


def test_what_is_fetched_again_is_not_compared(site: Site) -> None:
    first, second = site.add(2)
    site.work(first, second)
    site.sql(
        "UPDATE file_sync SET state = 'queued', placed_at = synced_at, synced_at = NULL,"
        f" next_attempt_at = now() WHERE id = {second}"
    )
    assert site.work(second) == {"synced": 1}
    assert site.answers == [200, 304, 200]


def test_a_store_that_knows_no_conditions_sends_the_object_again(site: Site) -> None:
    def plain(asked: Asked) -> Answer:
        asked.headers.pop("if-none-match", None)
        return s3_object(site.body)(asked)

    site.before = plain
    assert site.work(*site.add(2)) == {"synced": 2}
    assert site.answers == [200, 200]
    assert site.recorded() == of(A)


def test_a_row_is_not_recorded_as_a_version_that_was_replaced_meanwhile(site: Site) -> None:
    site.work(*site.add())
    (late,), (fast,) = site.add(), site.add()

    def overtake(asked: Asked) -> Answer | None:
        if asked.headers.get("if-none-match") != f'"{etag(A)}"' or site.body == B:
            return None
        answer = s3_object(A)(asked)
        site.body = B
        # It waits for no other, as a row whose worker has died.
        site.sql(
            "UPDATE file_sync SET attempts = 1, claimed_at = now(),"
            f" leased_until = now() - interval '1 second' WHERE id = {fast}"
        )
        assert site.work(fast) == {"synced": 1}
        file = site.folder / "folder" / "a b.txt"
        assert file.read_bytes() == B
        file.write_bytes(A)  # what is read will be right: the ledger alone tells
        return answer

    site.before = overtake
    outcomes = site.work(late)
    assert outcomes == {"retry": 1}
    site.work(late)
    rows = site.query("SELECT state, etag FROM file_sync ORDER BY id")
    assert rows == [("synced", etag(A)), ("synced", etag(B)), ("synced", etag(B))]
    assert site.files() == {"folder/a b.txt": B}


def test_a_lease_of_a_dead_worker_holds_up_the_other_row_no_longer_than_it_lasts(
    site: Site,
) -> None:
    first, second = site.add(2)
    site.sql(
        "UPDATE file_sync SET attempts = 1, claimed_at = now(),"
        f" leased_until = now() + interval '0.5 seconds' WHERE id = {first}"
    )
    until(lambda: site.work(second) == {"synced": 1})
    assert site.work(first) == {"synced": 1}
    assert site.answers == [200, 304]


def test_names_that_differ_in_case_alone_are_two_objects(site: Site) -> None:
    assert site.work(*site.add(name="A"), *site.add(name="a")) == {"synced": 2}
    assert site.answers == [200, 200]


def test_the_file_is_the_newest_rows_and_no_row_counts_as_damaged(site: Site) -> None:
    first, second = site.add(2)
    site.work(first, second)
    reader = StorageReader(str(site.folder))
    stored = site.ledger.verifications.of([first, second])
    verdicts = [reader.verify(f.file_name, f.size, f.sha256, lambda: True) for f in stored]
    assert verdicts == [Verdict.MATCH] * 2
    (known,) = site.ledger.reconciling.known(["folder/a b.txt"]).values()
    assert known.stored is not None
    assert (known.stored.row_id, known.stored.etag) == (second, etag(A))
