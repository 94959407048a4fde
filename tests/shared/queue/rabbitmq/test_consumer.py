from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pytest

from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from shared.queue.rabbitmq.consumer import Consumer, Tag
from shared.queue.rmq_event import Delivery
from tests.helpers.waiting import join, until


class Receiver:
    """Counts what it is given."""

    def __init__(self, url: str) -> None:
        self.taken: list[Delivery] = []
        self.resets = 0
        self.consumer = Consumer(url, self, prefetch=10, chance=lambda: 0.0)
        self.thread = threading.Thread(target=self.consumer.run, name="consumer")

    def on_delivery(self, tag: Tag, delivery: Delivery) -> None:
        self.taken.append(delivery)
        self.consumer.ack(tag)

    def has(self, taken: int, resets: int) -> bool:
        return (len(self.taken), self.resets) == (taken, resets)

    def on_reset(self) -> None:
        self.resets += 1


@pytest.fixture
def receiver(rabbitmq_url: str) -> Iterator[Receiver]:
    declare(rabbitmq_url, "classic")
    receiver = Receiver(rabbitmq_url)
    receiver.thread.start()
    yield receiver
    receiver.consumer.call_soon(receiver.consumer.stop)
    join(receiver.thread)


def refused() -> None:
    raise RuntimeError("a fault of our own")


def reset() -> None:
    """Raise what pika raises for a connection that was reset the moment it was made."""
    with socket.socket() as unconnected:
        try:
            unconnected.getpeername()
        except OSError as error:
            raise ValueError("Expected connected socket") from error


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (refused, "fault in the consumer, connecting again"),
        (reset, "RabbitMQ is unreachable"),
    ],
)
def test_an_error_out_of_the_loop_does_not_end_the_consumer(
    fault: Callable[[], None],
    line: str,
    receiver: Receiver,
    rabbitmq_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with closing(BrokerQueue(rabbitmq_url)) as queue:
        for number in range(1, 4):
            queue.publish_all([SyncMessage(number, f"request-{number}")])
            until(partial(receiver.has, number, number - 1))
            receiver.consumer.call_soon(fault)
            until(partial(receiver.has, number, number))
    assert receiver.thread.is_alive()
    assert line in [record.getMessage() for record in caplog.records]
    assert len(receiver.taken) == 3


def test_an_error_while_it_stops_does_not_keep_it_from_ending(receiver: Receiver) -> None:
    def stop() -> None:
        receiver.consumer.stop()
        refused()

    receiver.consumer.call_soon(stop)
    join(receiver.thread)
