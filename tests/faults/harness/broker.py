"""A look into RabbitMQ's queues past the service, with a connection of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel

from shared.queue.rabbitmq.topology import DEAD, QUEUE


class Broker:
    """The queues of one virtual host.

    Args:
        url: of the broker, past every proxy.

    Attributes:
        url: the same.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._parameters = pika.URLParameters(url)
        # One that is short of disk or memory stops reading, and would be waited for for ever.
        self._parameters.blocked_connection_timeout = 30

    def purge(self) -> None:
        """Remove every message that waits, dead letters too."""
        with self._channel() as channel:
            for queue in (QUEUE, DEAD):
                channel.queue_purge(queue)

    def purge_waiting(self) -> int:
        """Remove every message that waits for a worker, as a careless person may."""
        with self._channel() as channel:
            return int(channel.queue_purge(QUEUE).method.message_count)

    def waiting(self) -> int:
        """Count the messages that wait for a consumer."""
        with self._channel() as channel:
            return int(channel.queue_declare(QUEUE, passive=True).method.message_count)

    def consumers(self) -> int:
        """Count those that consume what waits for a worker."""
        with self._channel() as channel:
            return int(channel.queue_declare(QUEUE, passive=True).method.consumer_count)

    def dead(self) -> list[bytes]:
        """Return the bodies of the dead letters, which stay where they are."""
        bodies: list[bytes] = []
        with self._channel() as channel:
            while True:
                method, _, body = channel.basic_get(DEAD)
                if method is None or body is None:
                    return bodies
                bodies.append(body)

    def publish(self, bodies: Sequence[bytes], headers: Mapping[str, object] | None = None) -> None:
        """Put messages into the queue as a stranger would."""
        properties = pika.BasicProperties(delivery_mode=2, headers=dict(headers or {}))
        with self._channel() as channel:
            for body in bodies:
                channel.basic_publish("", QUEUE, body, properties)

    @contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        connection = pika.BlockingConnection(self._parameters)
        try:
            yield connection.channel()
        finally:
            connection.close()
