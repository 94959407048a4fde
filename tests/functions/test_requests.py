"""What copying costs a store: one request for an object, on connections that are kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.sync_worker.breaker import Breaker
from functions.sync_worker.service import Config, SyncWorker
from functions.sync_worker.settler import Settler
from shared.config.settings import Settings
from shared.ledger.rows import NewObject, Outcome
from shared.retry import RetryPolicy
from shared.sources.s3.resources import SPARE_CONNECTIONS
from shared.sources.s3.source import S3Source
from shared.storage.local import LocalStorage
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.s3_server import Answer, Asked, FaultyServer, s3_object

OBJECTS = 300
CONCURRENCY = 8


class Store:
    """A store of any key, and what it was asked.

    Attributes:
        headers: added to every answer; an empty one is left out.
        asked: the paths.
        connections: a thread each, see `ObjectServer`.
    """

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.connections: set[threading.Thread] = set()
        self.server = FaultyServer(self._answer)

    def _answer(self, asked: Asked) -> Answer:
        self.asked.append(asked.path)
        self.connections.add(threading.current_thread())
        answer = s3_object(b"content")(asked)
        answer.headers |= self.headers
        return answer


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    with store.server:
        yield store


@pytest.fixture
def worker(store: Store, database_url: str, tmp_path: Path) -> Iterator[SyncWorker]:
    folder = tmp_path / "storage"
    folder.mkdir()
    settings = Settings.from_mapping(
        {
            "AWS_S3_BUCKET_NAME": "bucket",
            "AWS_S3_ACCESS_KEY_ID": "AKID",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ENDPOINT_URL_S3": store.server.url,
            "STORAGE_PATH": str(folder),
            "SYNC_CONCURRENCY": str(CONCURRENCY),
        }
    )
    opened = open_ledger(database_url)
    ledger = own_ledger(opened, "worker")
    source, storage = S3Source(settings), LocalStorage(folder)
    breaker = Breaker(ledger.pauses, source, storage, "here")
    settler = Settler(ledger, storage, RetryPolicy(4), breaker, jitter=lambda: 0.0)
    yield SyncWorker(Config(60.0, 4, CONCURRENCY), ledger, source, storage, settler, breaker)
    source.close()
    opened.close()


def record(url: str, kind: str) -> list[int]:
    """Record objects of different names, and return their rows."""
    ledger = open_ledger(url)
    rows = []
    for number in range(OBJECTS):
        checksum = hashlib.sha256(f"{kind} {number}".encode()).digest()
        new = NewObject("o", "r", f"folder/{number}.{kind}", "t/t", checksum, "request")
        row_id = ledger.record(new, 30)
        assert row_id is not None
        rows.append(row_id)
    ledger.close()
    return rows


def test_an_object_costs_one_request_on_a_kept_connection(
    store: Store, worker: SyncWorker, database_url: str
) -> None:
    rows = record(database_url, "bin")
    assert worker.work(rows, lambda: 600.0) == {Outcome.SYNCED: OBJECTS}
    assert sorted(store.asked) == sorted({f"/bucket/folder/{n}.bin" for n in range(OBJECTS)})
    assert len(store.connections) <= CONCURRENCY + SPARE_CONNECTIONS
