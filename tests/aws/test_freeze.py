"""Sandboxes that sleep: frozen between invocations, their connections gone, their time short."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.aws.conftest import Deployment
from tests.aws.exchange import SCHEDULE, batch, http_event, post, waiting
from tests.aws.sandbox import TimedOut
from tests.helpers.servers import execute

DROP = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
NOTHING_HELD = (
    "DO $$ BEGIN IF EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%') THEN "
    "RAISE 'a frozen sandbox holds a transaction'; END IF; END $$"
)


@pytest.fixture
def drop(migrated: Deployment) -> Callable[[], None]:
    """Drop every connection that a sandbox has, while it is frozen."""

    def everything() -> None:
        execute(migrated.database_url, NOTHING_HELD, DROP)
        migrated.broker.drop()

    return everything


def test_a_thawed_ingest_accepts_and_publishes(
    migrated: Deployment, drop: Callable[[], None]
) -> None:
    ingest = migrated.sandbox("IngestFunction")
    for n in range(3):
        assert post(ingest, f"{n}.jpg")["statusCode"] == 201
        assert len(waiting(migrated.rabbitmq_url, within=10)) == 1
        drop()


def test_a_thawed_stats_counts(migrated: Deployment, drop: Callable[[], None]) -> None:
    stats = migrated.sandbox("StatsFunction")
    for _ in range(3):
        assert stats.invoke(http_event("GET", "/sync/"))["statusCode"] == 200
        assert stats.invoke(http_event("GET", "/status.html"))["statusCode"] == 200
        drop()


def test_a_thawed_requeue_publishes(migrated: Deployment, drop: Callable[[], None]) -> None:
    requeue = migrated.sandbox("RequeueFunction", DELIVERY_SECONDS="3600")
    post(migrated.sandbox("IngestFunction"), "a.jpg")
    waiting(migrated.rabbitmq_url, within=10)
    for _ in range(3):
        execute(migrated.database_url, "UPDATE file_sync SET due_at = now()")
        drop()
        assert requeue.invoke(SCHEDULE)["published"] == 1
        assert len(waiting(migrated.rabbitmq_url, within=10)) == 1


def test_a_thawed_worker_copies(migrated: Deployment, drop: Callable[[], None]) -> None:
    ingest, worker = migrated.sandbox("IngestFunction"), migrated.sandbox("SyncWorkerFunction")
    for n in range(3):
        migrated.put(f"{n}.jpg", f"content {n}".encode())
        post(ingest, f"{n}.jpg")
        event = batch(migrated.rabbitmq_url)
        drop()
        assert worker.invoke(event)["synced"] == 1
        assert migrated.file(f"{n}.jpg").read_bytes() == f"content {n}".encode()


class StalledServer:
    """Accepts connections and never answers."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._accepted: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._accepted.append(connection)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for connection in self._accepted:
            connection.close()


@pytest.fixture
def stalled() -> Iterator[StalledServer]:
    server = StalledServer()
    yield server
    server.close()


def test_a_worker_whose_time_is_short_returns_and_loses_nothing(
    migrated: Deployment, stalled: StalledServer
) -> None:
    migrated.put("slow.jpg", b"content")
    post(migrated.sandbox("IngestFunction"), "slow.jpg")
    event = batch(migrated.rabbitmq_url)
    hung = migrated.sandbox("SyncWorkerFunction", AWS_ENDPOINT_URL_S3=stalled.url)
    start = time.monotonic()
    assert "synced" not in {k for k, v in hung.invoke(event, seconds=15).items() if v}
    assert time.monotonic() - start < 15
    assert not migrated.file("slow.jpg").exists()
    delivered(migrated)


def test_a_worker_that_is_ended_in_mid_copy_loses_nothing(
    migrated: Deployment, stalled: StalledServer
) -> None:
    migrated.put("slow.jpg", b"content")
    post(migrated.sandbox("IngestFunction"), "slow.jpg")
    event = batch(migrated.rabbitmq_url)
    hung = migrated.sandbox("SyncWorkerFunction", AWS_ENDPOINT_URL_S3=stalled.url)
    with pytest.raises(TimedOut):
        # The platform gives no second more than the worker was told, or even less.
        hung.invoke(event, seconds=600, ended_after=3)
    assert not migrated.file("slow.jpg").exists()
    delivered(migrated)


def delivered(migrated: Deployment) -> None:
    """Have requeue and a healthy worker deliver what is due."""
    execute(
        migrated.database_url,
        "UPDATE file_sync SET leased_until = now() WHERE leased_until IS NOT NULL",
        "UPDATE file_sync SET due_at = now(), next_attempt_at = now()",
    )
    assert migrated.sandbox("RequeueFunction").invoke(SCHEDULE)["published"] == 1
    worker = migrated.sandbox("SyncWorkerFunction")
    assert worker.invoke(batch(migrated.rabbitmq_url))["synced"] == 1
    assert migrated.file("slow.jpg").read_bytes() == b"content"
