from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pika
import pytest

from local.trigger import Trigger, backoff
from shared.errors import LedgerUnavailable
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from shared.queue.rmq_event import read
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port
from tests.helpers.tcp_proxy import TcpProxy
from tests.helpers.waiting import until

SECONDS = 30.0


class Worker:
    """Records the batches it is handed; a test may hold it up or let it fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.events: list[dict[str, Any]] = []
        self.failures = 0
        self.error: Exception = LedgerUnavailable("it is down")
        self.go_on = threading.Event()
        self.go_on.set()
        self._at_work = threading.Semaphore(0)

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        assert context.get_remaining_time_in_millis() > 0
        assert context.aws_request_id
        self._at_work.release()
        assert self.go_on.wait(SECONDS)
        if self.failures:
            self.failures -= 1
            raise self.error
        self.events.append(event)
        self.batches.append([m.row_id for m in read(event) if isinstance(m, SyncMessage)])

    def wait_for_a_batch(self) -> None:
        assert self._at_work.acquire(timeout=SECONDS)

    def seen(self) -> list[int]:
        return [row_id for batch in self.batches for row_id in batch]


@pytest.fixture
def url(rabbitmq_url: str) -> str:
    declare(rabbitmq_url, "quorum")
    return rabbitmq_url


@pytest.fixture
def queue(url: str) -> Iterator[BrokerQueue]:
    with closing(BrokerQueue(url)) as queue:
        yield queue


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[Trigger, threading.Thread]]]:
    with ExitStack() as stack:

        def start_one(url: str, worker: Worker, **options: Any) -> tuple[Trigger, threading.Thread]:
            chosen = {"batch_size": 10, "window_seconds": 0.0, "worker_seconds": 60.0} | options
            trigger = Trigger(url, worker, chance=lambda: 0.0, **chosen)
            thread = threading.Thread(target=trigger.run)
            thread.start()

            def end() -> None:
                worker.go_on.set()
                trigger.stop()
                thread.join(20)
                assert not thread.is_alive()

            stack.callback(end)
            return trigger, thread

        yield start_one


def publish_to(queue: BrokerQueue, count: int) -> set[int]:
    return queue.publish_all(SyncMessage(n, f"request-{n}") for n in range(1, count + 1))


def test_every_message_is_handed_over_once_and_acknowledged(
    url: str, queue: BrokerQueue, start: Any
) -> None:
    worker = Worker()
    expected = publish_to(queue, 105)
    trigger, thread = start(url, worker)

    until(lambda: len(worker.seen()) >= 105)
    trigger.stop()
    thread.join(20)

    assert sorted(worker.seen()) == sorted(expected)
    assert max(len(batch) for batch in worker.batches) == 10
    assert queue.depth() == 0


def test_its_loop_has_a_pulse_without_any_message(url: str, start: Any) -> None:
    pulses: list[None] = []
    start(url, Worker(), pulse=lambda: pulses.append(None))
    until(lambda: pulses)


def test_the_event_is_that_of_a_mapping(url: str, queue: BrokerQueue, start: Any) -> None:
    worker = Worker()
    publish_to(queue, 1)
    start(url, worker)
    until(lambda: worker.events)

    (event,) = worker.events
    ((name, (message,)),) = event["rmqMessagesByQueue"].items()
    assert event["eventSource"] == "aws:rmq"
    assert name == "sync::" + url.rpartition("/")[2]
    properties = message["basicProperties"]
    assert properties["headers"]["request_id"] == {"bytes": list(b"request-1")}
    assert properties["messageId"] == "1"
    assert properties["correlationId"] == "request-1"
    assert properties["deliveryMode"] == 2
    assert properties["bodySize"] == len(b'{"id": 1}')
    assert message["data"] == "eyJpZCI6IDF9"
    assert message["redelivered"] is False


def test_a_batch_that_is_not_full_waits_for_its_window(
    url: str, queue: BrokerQueue, start: Any
) -> None:
    worker = Worker()
    start(url, worker, window_seconds=1.0)
    publish_to(queue, 3)
    more = queue.publish_all([SyncMessage(4)])

    until(lambda: len(worker.seen()) >= 4)
    assert more == {4}
    assert worker.batches == [[1, 2, 3, 4]]


def test_a_full_batch_does_not_wait_for_its_window(
    url: str, queue: BrokerQueue, start: Any
) -> None:
    worker = Worker()
    start(url, worker, window_seconds=300.0)
    publish_to(queue, 10)

    until(lambda: worker.batches == [list(range(1, 11))])


def test_a_failed_batch_comes_again_after_a_pause(
    url: str, queue: BrokerQueue, start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker()
    worker.failures = 2
    publish_to(queue, 5)
    started = time.monotonic()
    trigger, thread = start(url, worker)

    until(lambda: len(worker.seen()) >= 5)
    assert time.monotonic() - started > 1.4  # 0.5 s and 1 s
    assert {
        m["redelivered"] for e in worker.events for q in e["rmqMessagesByQueue"].values() for m in q
    } == {True}
    trigger.stop()
    thread.join(20)
    assert sorted(worker.seen()) == [1, 2, 3, 4, 5]
    assert queue.depth() == 0
    failures = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert [r.getMessage() for r in failures] == ["batch failed, returned to the queue"] * 2
    assert not [r for r in failures if r.exc_info]


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [(0, 0.5, 1.0), (1, 1.0, 2.0), (3, 4.0, 8.0), (4, 8.0, 8.0), (10_000, 8.0, 8.0)],
)
def test_the_backoff_after_a_failed_batch_grows_to_what_work_may_take_to_resume(
    failures: int, least: float, most: float
) -> None:
    assert backoff(failures, 0.0) == pytest.approx(least)
    assert backoff(failures, 1.0) == pytest.approx(most)


def test_a_fault_of_the_program_is_logged_with_its_traceback(
    url: str, queue: BrokerQueue, start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker()
    worker.failures = 1
    worker.error = ZeroDivisionError("oops")
    publish_to(queue, 1)
    start(url, worker)

    until(worker.seen)
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.exc_info


def test_stopping_finishes_the_batch_and_gives_back_the_rest(
    url: str, queue: BrokerQueue, start: Any
) -> None:
    worker = Worker()
    worker.go_on.clear()
    publish_to(queue, 40)
    trigger, thread = start(url, worker, prefetch=30)
    worker.wait_for_a_batch()
    until(lambda: queue.depth() == 10)

    trigger.stop()
    until(lambda: queue.depth() >= 30)  # what waited is back while the batch is at work
    worker.go_on.set()
    thread.join(20)

    assert not thread.is_alive()
    assert len(worker.batches) == 1
    assert queue.depth() == 40 - len(worker.seen())


def test_a_message_of_a_stranger_stops_nobody(url: str, queue: BrokerQueue, start: Any) -> None:
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        odd = pika.BasicProperties(timestamp=1_795_557_600_000)  # in milliseconds
        connection.channel().basic_publish("", "sync", b"hello", odd)
    publish_to(queue, 1)
    worker = Worker()
    start(url, worker)

    until(lambda: worker.seen() == [1])


def test_what_is_stopping_takes_nothing_from_a_broker_that_comes_back(
    url: str, queue: BrokerQueue, start: Any
) -> None:
    worker = Worker()
    worker.go_on.clear()
    publish_to(queue, 20)
    with TcpProxy(url) as proxy:
        trigger, thread = start(proxy.url, worker)
        worker.wait_for_a_batch()
        until(lambda: queue.depth() == 0)  # all in hand
        trigger.stop()
        until(queue.depth)  # what waited comes back: it is stopping
        proxy.refuse()
        until(lambda: queue.depth() == 20)
        proxy.accept()
        with pytest.raises(AssertionError):  # the pause before a second try is 0.1 s
            until(lambda: proxy.connections > 1, seconds=1.0)
        worker.go_on.set()
        thread.join(20)
        assert not thread.is_alive()
    assert queue.depth() == 20


def test_several_triggers_share_the_work(url: str, queue: BrokerQueue, start: Any) -> None:
    workers = [Worker(), Worker()]
    for worker in workers:
        worker.go_on.clear()
        start(url, worker)
    publish_to(queue, 60)
    for worker in workers:
        worker.wait_for_a_batch()
    # Not before both have one: the first to connect would take all that is left.
    for worker in workers:
        worker.go_on.set()

    until(lambda: sum(len(w.seen()) for w in workers) >= 60)
    assert sorted(workers[0].seen() + workers[1].seen()) == list(range(1, 61))
    assert all(w.seen() for w in workers)


def test_a_lost_connection_only_delays(
    url: str, queue: BrokerQueue, start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    worker = Worker()
    worker.go_on.clear()
    publish_to(queue, 25)
    with TcpProxy(url) as proxy:
        trigger, thread = start(proxy.url, worker)
        worker.wait_for_a_batch()
        proxy.refuse()
        until(lambda: queue.depth() == 25)
        worker.go_on.set()  # finished, but no longer to be acknowledged
        until(worker.seen)
        proxy.accept()

        until(lambda: set(worker.seen()) == set(range(1, 26)))
        until(lambda: queue.depth() == 0)
        trigger.stop()
        thread.join(20)
    assert queue.depth() == 0
    said = [r.getMessage() for r in caplog.records if "RabbitMQ" in r.getMessage()]
    assert said == ["RabbitMQ is unreachable", "RabbitMQ is reachable again"]
    assert not [r for r in caplog.records if r.exc_info]


class Late:
    """Has rows whose messages are late, and counts how often it is asked for them."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.asked = 0
        self.error: Exception | None = None

    def __call__(self) -> list[SyncMessage]:
        self.asked += 1
        if self.error:
            raise self.error
        rows, self.rows = self.rows, []
        return [SyncMessage(row_id) for row_id in rows]

    def is_asked_again(self) -> None:
        before = self.asked
        until(lambda: self.asked > before)


def test_rows_whose_messages_are_late_are_handed_over_beside_others(
    url: str, queue: BrokerQueue, start: Any
) -> None:
    worker, late = Worker(), Late()
    late.rows = [100, 101, 102]
    trigger, thread = start(url, worker, fetch_late=late, fetch_seconds=0.05)
    until(lambda: worker.seen() == [100, 101, 102])
    publish_to(queue, 2)
    until(lambda: sorted(worker.seen()) == [1, 2, 100, 101, 102])
    late.rows = [103]
    until(lambda: worker.seen()[-1] == 103)
    trigger.stop()
    thread.join(20)
    assert queue.depth() == 0  # messages are acknowledged as ever


def test_late_rows_need_no_broker(url: str, start: Any) -> None:
    worker, late = Worker(), Late()
    with TcpProxy(url) as proxy:
        proxy.refuse()
        start(proxy.url, worker, fetch_late=late, fetch_seconds=0.05)
        late.rows = [100]
        until(lambda: worker.seen() == [100])


def test_a_busy_worker_is_given_late_rows_as_soon_as_it_has_nothing_else(
    url: str, queue: BrokerQueue, start: Any
) -> None:
    worker, late = Worker(), Late()
    worker.go_on.clear()
    publish_to(queue, 1)
    start(url, worker, fetch_late=late, fetch_seconds=0.2)
    worker.wait_for_a_batch()
    late.rows, asked = [100], late.asked
    time.sleep(0.5)  # what the test is about: it has been due meanwhile
    assert late.asked == asked
    worker.go_on.set()
    until(lambda: worker.seen() == [1, 100])


def test_a_worker_that_fails_is_given_no_late_rows(
    url: str, queue: BrokerQueue, start: Any
) -> None:
    worker, late = Worker(), Late()
    worker.failures = 1_000
    publish_to(queue, 1)
    start(url, worker, fetch_late=late, fetch_seconds=0.01)
    until(lambda: worker.failures < 999)
    assert late.asked < 10  # before the message came, and between two deliveries


def test_an_unreachable_ledger_is_asked_again(url: str, start: Any) -> None:
    worker, late = Worker(), Late()
    late.error = LedgerUnavailable("it is down")
    start(url, worker, fetch_late=late, fetch_seconds=0.05)
    late.is_asked_again()
    late.error, late.rows = None, [100]
    until(lambda: worker.seen() == [100])


def test_a_missing_queue_is_waited_for(rabbitmq_url: str, start: Any) -> None:
    worker = Worker()
    start(rabbitmq_url, worker)
    declare(rabbitmq_url, "classic")
    with closing(BrokerQueue(rabbitmq_url)) as queue:
        queue.publish_all([SyncMessage(1)])

    until(lambda: worker.seen() == [1])


def test_stopping_while_the_broker_says_nothing_ends_at_once(silent_url: str, start: Any) -> None:
    trigger, thread = start(silent_url, Worker())
    trigger.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_stopping_while_the_broker_is_away_ends_at_once(url: str, start: Any) -> None:
    with TcpProxy(url) as proxy:
        proxy.refuse()
        trigger, thread = start(proxy.url, Worker())
        trigger.stop()
        thread.join(5)
        assert not thread.is_alive()


def test_a_broker_that_is_away_is_said_in_one_line_however_often_it_is_tried(
    database_url: str, tmp_path: Path
) -> None:
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "RABBITMQ_URL": f"amqp://127.0.0.1:{(port := free_port())}/",
        "STORAGE_PATH": str(tmp_path),
        "AWS_S3_BUCKET_NAME": "uploads",
    }
    tried = 0
    with socket.create_server(("127.0.0.1", port)) as broker, (tmp_path / "log").open("wb") as log:
        broker.settimeout(SECONDS)
        trigger = subprocess.Popen(
            [sys.executable, "-m", "local", "trigger"], cwd=tmp_path, env=given, stderr=log
        )
        try:
            while tried < 3:
                broker.accept()[0].close()
                tried += 1
        finally:
            trigger.terminate()
    assert trigger.wait(30) == 0, (tmp_path / "log").read_text()
    said = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["message"] for line in said if line["level"] != "INFO"] == [
        "RabbitMQ is unreachable"
    ]
