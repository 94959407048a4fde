"""The queue as requeue and the worker use it, on Amazon SQS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.queue.batches import publish_in_batches
from shared.queue.messages import SyncMessage
from shared.queue.sqs.queues import BATCH, Queues

TIMEOUT = 10.0
"""Seconds for one call; requeue runs each minute, and a worker has a batch to continue."""


class SqsQueue:
    """The queue and its dead letters on Amazon SQS; safe for several threads.

    Args:
        url: of the queue; that of the dead letters is the same with `-dead` behind it.
        timeout: seconds for one call.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._queues = Queues(url, timeout)

    def publish_all(self, messages: Iterable[SyncMessage]) -> set[int]:
        """Publish the messages of many rows; see `Queue.publish_all`."""
        return publish_in_batches(list(messages), BATCH, self._queues.send)

    def depth(self) -> int:
        """Count the messages that wait; see `Queue.depth`."""
        return self._queues.depth()

    def dead_letter_depth(self) -> int:
        """Count the dead letters; see `Queue.dead_letter_depth`."""
        return self._queues.depth(dead=True)

    def dead_letter(self, data: bytes, reason: str, headers: Mapping[str, object]) -> None:
        """Keep a message as a dead letter; see `Queue.dead_letter`."""
        self._queues.dead_letter(data, reason, headers)

    def close(self) -> None:
        """Close the connection; see `Queue.close`."""
        self._queues.close()
