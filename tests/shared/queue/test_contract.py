"""One contract for every queue: RabbitMQ's, SQS's, the direct one, that of no broker, the fake.

What a queue reports as published has arrived, what it does not report is published again, and a
message that names no row is kept somewhere.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pika
import pytest

from shared.errors import QueueUnavailable
from shared.queue.direct import DirectQueue
from shared.queue.interface import NullQueue, Queue
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from shared.queue.rmq_event import read
from shared.queue.sqs.sqs_queue import SqsQueue
from tests.helpers.fake_queue import FakeQueue
from tests.helpers.servers import free_port
from tests.helpers.sqs import KEYS, SqsQueues


@dataclass(frozen=True, slots=True)
class Seen:
    """A queue, and what became of its messages.

    Attributes:
        queue: the queue.
        arrived: returns the row ids whose messages reached the queue or the worker.
        dead_letters: returns the data of the messages that were kept.
    """

    queue: Queue
    arrived: Callable[[], list[int]]
    dead_letters: Callable[[], list[bytes]]


@pytest.fixture(params=["broker", "sqs", "direct", "null", "fake"])
def seen(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Seen]:
    match request.param:
        case "broker":
            url = request.getfixturevalue("rabbitmq_url")
            declare(url, "quorum")
            with closing(BrokerQueue(url)) as queue:
                yield Seen(queue, lambda: row_ids(url), lambda: bodies(url, "sync.dead"))
        case "sqs":
            queues: SqsQueues = request.getfixturevalue("sqs")
            with closing(SqsQueue(queues.url)) as queue_of_sqs:
                yield Seen(
                    queue_of_sqs,
                    lambda: [row_id_of(m["Body"].encode()) for m in queues.take()],
                    lambda: [
                        json.loads(m["Body"])["data"].encode() for m in queues.take(dead=True)
                    ],
                )
        case "direct":
            events: list[dict[str, Any]] = []
            queue_of_events = DirectQueue(events.append, 2)
            yield Seen(queue_of_events, lambda: delivered(events), lambda: logged(caplog))
        case "null":
            yield Seen(NullQueue(), list, lambda: logged(caplog))
        case "fake":
            fake = FakeQueue()
            yield Seen(
                fake, lambda: fake.published, lambda: [data for data, _ in fake.dead_letters]
            )


def bodies(url: str, queue: str) -> list[bytes]:
    """Take all messages out of a queue of the broker."""
    taken: list[bytes] = []
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        channel = connection.channel()
        while True:
            _, _, body = channel.basic_get(queue, auto_ack=True)
            if body is None:
                return taken
            taken.append(body)


def row_ids(url: str) -> list[int]:
    return [row_id_of(body) for body in bodies(url, "sync")]


def row_id_of(body: bytes) -> int:
    return SyncMessage.decode(body).row_id


def delivered(events: list[dict[str, Any]]) -> list[int]:
    return [m.row_id for event in events for m in read(event) if isinstance(m, SyncMessage)]


def logged(caplog: pytest.LogCaptureFixture) -> list[bytes]:
    records = [r for r in caplog.records if r.levelno == logging.ERROR]
    return [r.__dict__["data"] for r in records]


def test_what_is_reported_as_published_has_arrived_and_nothing_else(seen: Seen) -> None:
    published = seen.queue.publish_all(SyncMessage(n, f"request-{n}") for n in range(1, 6))
    assert published in (set(range(1, 6)), set())
    assert sorted(seen.arrived()) == sorted(published)


def test_nothing_to_publish_is_not_an_error(seen: Seen) -> None:
    assert seen.queue.publish_all([]) == set()
    assert seen.arrived() == []


def test_a_message_published_twice_is_only_reported_once(seen: Seen) -> None:
    first = seen.queue.publish_all([SyncMessage(1)])
    assert seen.queue.publish_all([SyncMessage(1)]) == first


def test_the_depth_of_an_empty_queue_is_zero(seen: Seen) -> None:
    assert seen.queue.depth() == 0


def test_a_dead_letter_is_kept_and_does_not_wait_for_a_worker(seen: Seen) -> None:
    seen.queue.dead_letter(b"?", "not JSON", {"attempt": 1, "name": {"bytes": [97]}})
    seen.queue.dead_letter(b"", "empty", {})
    assert seen.dead_letters() == [b"?", b""]
    assert seen.queue.depth() == 0


def test_closing_is_safe_to_repeat(seen: Seen) -> None:
    seen.queue.publish_all([SyncMessage(1)])
    seen.queue.close()
    seen.queue.close()


def unreachable_broker() -> Queue:
    return BrokerQueue(f"amqp://guest:guest@127.0.0.1:{free_port()}/")


def unreachable_sqs() -> Queue:
    return SqsQueue(f"http://127.0.0.1:{free_port()}/123456789012/sync")


def unreachable_fake() -> Queue:
    fake = FakeQueue()
    fake.reachable = False
    return fake


@pytest.mark.parametrize("make", [unreachable_broker, unreachable_sqs, unreachable_fake])
def test_without_its_broker_a_queue_raises_one_error(
    make: Callable[[], Queue], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    queue = make()
    with pytest.raises(QueueUnavailable):
        queue.publish_all([SyncMessage(1)])
    with pytest.raises(QueueUnavailable):
        queue.depth()
    with pytest.raises(QueueUnavailable):
        queue.dead_letter(b"?", "not JSON", {})
    queue.close()
