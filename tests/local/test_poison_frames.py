"""Messages whose whole frames are fuzzed, through RabbitMQ and the trigger to the dead letters."""

from __future__ import annotations

import random
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, cast

import pika
import pytest

from functions.sync_worker.handler import work
from functions.sync_worker.service import SyncWorker
from local.context import Context
from local.trigger import Trigger
from shared.ledger.rows import Outcome
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from shared.queue.rabbitmq.consumer import Consumer, Tag
from shared.queue.rmq_event import Delivery
from tests.helpers.raw_publisher import RawPublisher, counted, field, shapes, with_headers
from tests.helpers.tcp_proxy import TcpProxy
from tests.helpers.waiting import until

SECONDS = 20.0
FUZZED = 40
POISON = with_headers(field(b"at", b"T" + struct.pack(">Q", 1_795_557_600_000)))


class Rows:
    """Stands for the worker behind its handler: notes the rows that it is to copy."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}

    def work(
        self,
        row_ids: Iterable[int],
        seconds_left: Callable[[], float],
        is_stopping: Callable[[], bool],
    ) -> Counter[Outcome]:
        assert not is_stopping()
        assert seconds_left() > 0
        self.seen |= dict.fromkeys(row_ids, time.monotonic())
        return Counter()


class Consuming:
    """A trigger at work on a queue, with the real handler and the real dead letters."""

    def __init__(self, url: str, queue: BrokerQueue) -> None:
        self.rows = Rows()
        worker = cast("SyncWorker", self.rows)

        def handler(event: Mapping[str, Any], context: Context) -> object:
            return work(worker, lambda: queue, event, context)

        self._trigger = Trigger(
            url, handler, batch_size=10, window_seconds=0.0, worker_seconds=60.0
        )
        self._thread = threading.Thread(target=self._trigger.run)
        self._thread.start()

    def close(self) -> None:
        self._trigger.stop()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


@pytest.fixture(params=["quorum", "classic"])
def url(rabbitmq_url: str, request: pytest.FixtureRequest) -> str:
    declare(rabbitmq_url, request.param)
    return rabbitmq_url


@pytest.fixture
def queue(url: str) -> Iterator[BrokerQueue]:
    with closing(BrokerQueue(url)) as queue:
        yield queue


def dead_letters(url: str) -> Iterator[tuple[str, bytes]]:
    """Take the dead letters, each with its reason."""
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        channel = connection.channel()
        while True:
            _, properties, body = channel.basic_get("sync.dead", auto_ack=True)
            if properties is None or body is None:
                return
            yield str((properties.headers or {})["reason"]), body


def dead_count(url: str) -> int:
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        declared = connection.channel().queue_declare("sync.dead", passive=True)
        return int(declared.method.message_count)


def fuzzed(chance: random.Random) -> bytes:
    """Return the properties of a message as a fuzzer writes them."""
    if chance.random() < 0.3:  # bytes of a known shape, some of them changed
        raw = bytearray(chance.choice([raw for _, raw in shapes() if len(raw) < 1_000]))
        for _ in range(chance.randint(1, 3)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        return bytes(raw)
    return with_headers(
        *(
            field(chance.randbytes(chance.choice([0, 1, 9, 255])), _value(chance, 4))
            for _ in range(chance.randint(1, 5))
        )
    )


def _value(chance: random.Random, depth: int) -> bytes:
    kind = chance.choice("tbBsuIildfDTSxVAF" if depth else "tTSV")
    if kind == "A":
        values = (_value(chance, depth - 1) for _ in range(chance.randint(0, 4)))
        return b"A" + counted(b"".join(values))
    if kind == "F":
        fields = (
            field(chance.randbytes(3), _value(chance, depth - 1))
            for _ in range(chance.randint(0, 4))
        )
        return b"F" + counted(b"".join(fields))
    if kind in "Sx":
        return kind.encode() + counted(chance.randbytes(chance.choice([0, 1, 300])))
    size = {"V": 0, "s": 2, "u": 2, "I": 4, "i": 4, "f": 4, "D": 5, "l": 8, "d": 8, "T": 8}
    return kind.encode() + chance.randbytes(size.get(kind, 1))


def test_every_frame_that_the_broker_takes_ends_in_the_dead_letters(
    url: str, queue: BrokerQueue, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(13)
    frames = [raw for _, raw in shapes()] + [fuzzed(chance) for _ in range(FUZZED)]
    sent = []
    with RawPublisher(url) as publisher:
        for number, raw in enumerate(frames):
            body = b"poison %d" % number
            if publisher.publish("sync", raw, body):
                sent.append(body)
    assert len(sent) > len(shapes()) + FUZZED / 4
    good = queue.publish_all(SyncMessage(n) for n in range(1, 51))

    with closing(Consuming(url, queue)) as consuming:
        until(lambda: set(consuming.rows.seen) == good, seconds=SECONDS)
        until(lambda: dead_count(url) >= len(sent), seconds=SECONDS)

    letters = list(dead_letters(url))
    assert sorted(body for _, body in letters) == sorted(sent)
    assert all(reason.endswith("not JSON") for reason, _ in letters)
    assert queue.depth() == 0
    messages = Counter(record.getMessage() for record in caplog.records)
    assert messages["unreadable message"] == len(sent)  # what the metric counts
    assert set(messages) == {"unreadable message"}  # no connection was lost


def test_a_poison_frame_with_a_rows_id_is_kept_and_its_row_is_copied(
    url: str, queue: BrokerQueue
) -> None:
    with RawPublisher(url) as publisher:
        assert publisher.publish("sync", POISON, b'{"id": 42}')
    with closing(Consuming(url, queue)) as consuming:
        until(lambda: 42 in consuming.rows.seen and dead_count(url), seconds=SECONDS)

    ((reason, body),) = dead_letters(url)
    assert body == b'{"id": 42}'
    assert reason == "header 'at': a time after the year 9999 (1795557600000 s)"


def test_a_body_of_many_frames_is_kept_whole(url: str, queue: BrokerQueue) -> None:
    body = bytes(range(256)) * 2_000
    with RawPublisher(url) as publisher:
        assert publisher.publish("sync", POISON, body)
    with closing(Consuming(url, queue)):
        until(lambda: dead_count(url), seconds=SECONDS)

    assert [found for _, found in dead_letters(url)] == [body]


def test_poison_frames_hardly_delay_their_neighbors(url: str, queue: BrokerQueue) -> None:
    with closing(Consuming(url, queue)) as consuming, RawPublisher(url) as publisher:
        queue.publish_all([SyncMessage(1)])
        until(lambda: consuming.rows.seen, seconds=SECONDS)
        for number in range(2, 22):
            assert publisher.publish("sync", POISON, b"poison")
            started = time.monotonic()
            queue.publish_all([SyncMessage(number)])
            until(lambda: max(consuming.rows.seen) >= number, seconds=SECONDS)  # noqa: B023
            # Before, each had cost a connection and its back-off. A busy machine needs the rest.
            assert consuming.rows.seen[number] - started < 2.0


class Refusing:
    """Fails in the callback, as a defect of ours would; pika then ends the connection."""

    def __init__(self, url: str, failures: int) -> None:
        self._failures = failures
        self.resets: list[float] = []
        self.settled = threading.Event()
        self.consumer = Consumer(url, self, prefetch=1, chance=lambda: 0.0)

    def on_delivery(self, tag: Tag, delivery: Delivery) -> None:
        assert delivery.body
        if len(self.resets) < self._failures:
            raise ZeroDivisionError
        self.consumer.ack(tag)
        self.settled.set()

    def on_reset(self) -> None:
        self.resets.append(time.monotonic())


def test_the_back_off_starts_anew_only_after_an_acknowledgement(rabbitmq_url: str) -> None:
    declare(rabbitmq_url, "classic")
    with TcpProxy(rabbitmq_url) as proxy, closing(BrokerQueue(rabbitmq_url)) as queue:
        refusing = Refusing(proxy.url, failures=4)
        thread = threading.Thread(target=refusing.consumer.run)
        thread.start()
        queue.publish_all([SyncMessage(1)])
        assert refusing.settled.wait(SECONDS)
        gaps = [b - a for a, b in zip(refusing.resets, refusing.resets[1:], strict=False)]
        until(lambda: queue.depth() == 0, seconds=SECONDS)
        refusing.settled.clear()
        cut = time.monotonic()
        proxy.refuse()
        proxy.accept()
        queue.publish_all([SyncMessage(2)])
        assert refusing.settled.wait(SECONDS)
        back = time.monotonic() - cut
        refusing.consumer.call_soon(refusing.consumer.stop)
        thread.join(SECONDS)
        assert not thread.is_alive()

    assert [gap >= least for gap, least in zip(gaps, [0.1, 0.2, 0.4], strict=True)] == [True] * 3
    assert back < 1.6  # what the next step of the same back-off would have been at least
