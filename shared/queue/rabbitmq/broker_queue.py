"""The queue as requeue and the worker use it, on a RabbitMQ broker, and its declaration."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from pika.channel import Channel

from shared.errors import QueueUnavailable, SettingError
from shared.queue.batches import publish_in_batches
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.session import Session
from shared.queue.rabbitmq.topology import DEAD, QUEUE, arguments, dead_letter, publication

TIMEOUT = 10.0
"""Seconds for one call; requeue runs each minute, and a worker has a batch to continue."""

CHUNK = 1_000
"""Messages in flight at once; their frames are about 200 bytes each."""


class BrokerQueue:
    """The queue `sync` and its dead letters on a RabbitMQ broker; safe for several threads.

    Args:
        url: of the broker.
        timeout: seconds for one call.
        wall_clock: seconds since 1970, stamped on the messages.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = Session(url, timeout=timeout)
        self._turn = threading.Lock()
        self._wall_clock = wall_clock

    def publish_all(self, messages: Iterable[SyncMessage]) -> set[int]:
        """Publish the messages of many rows; see `Queue.publish_all`."""
        now = self._wall_clock()
        with self._turn:
            return publish_in_batches(
                [publication(message, now) for message in messages],
                CHUNK,
                lambda batch: map(int, self._session.publish(batch)),
            )

    def depth(self) -> int:
        """Count the messages that wait; see `Queue.depth`."""
        with self._turn:
            return self._session.depth(QUEUE)

    def dead_letter_depth(self) -> int:
        """Count the dead letters; see `Queue.dead_letter_depth`."""
        with self._turn:
            return self._session.depth(DEAD)

    def dead_letter(self, data: bytes, reason: str, headers: Mapping[str, object]) -> None:
        """Keep a message as a dead letter; see `Queue.dead_letter`."""
        with self._turn:
            if not self._session.publish([dead_letter(data, reason, headers, self._wall_clock())]):
                raise QueueUnavailable(f"{DEAD} is missing or refused the message")

    def close(self) -> None:
        """Close the connection; see `Queue.close`."""
        with self._turn:
            self._session.close()


def declare(url: str, queue_type: str, *, timeout: float = TIMEOUT) -> None:
    """Create the queues where they are missing; change nothing where they exist.

    Args:
        url: of the broker.
        queue_type: `quorum` or `classic`.
        timeout: seconds for each step.

    Raises:
        QueueUnavailable: the broker is unreachable.
        SettingError: a queue exists with other properties, which RabbitMQ cannot change.
    """
    session = Session(url, timeout=timeout)
    try:
        for queue in (DEAD, QUEUE):
            session.ask(partial(_declare, queue, queue_type))
    except QueueUnavailable as error:
        if "PRECONDITION_FAILED" in error.about:
            raise SettingError(
                f"QUEUE_TYPE: delete the queue or keep its type: {error.about}"
            ) from error
        raise
    finally:
        session.close()


def _declare(
    queue: str, queue_type: str, channel: Channel, on_reply: Callable[[Any], None]
) -> None:
    channel.queue_declare(
        queue, durable=True, arguments=arguments(queue, queue_type), callback=on_reply
    )
