"""The queue as the requeue and the worker see it: the interface, and the queue that is not there.

Ingest does not use it: see `shared.queue.publisher`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

from shared.queue.messages import SyncMessage, header_text

logger = logging.getLogger(__name__)


class Queue(Protocol):
    """The queue `sync` and its dead letters."""

    def publish_all(self, messages: Iterable[SyncMessage]) -> set[int]:
        """Publishes the messages of many rows and wait for the confirms.

        Returns:
            The ids of the rows whose messages the broker confirmed to be in the queue.

        Raises:
            QueueUnavailable: the broker is unreachable; no message is known to have arrived.
        """

    def depth(self) -> int:
        """Count the messages that wait for a worker.

        Raises:
            QueueUnavailable: the broker is unreachable or has no such queue.
        """

    def dead_letter(self, data: bytes, reason: str, headers: Mapping[str, object]) -> None:
        """Puts a message that names no row into the dead-letter queue.

        Args:
            data: its body.
            reason: why nobody could read it; becomes the header `reason`.
            headers: its headers, as the event had them.

        Raises:
            QueueUnavailable: it is not safely there.
        """

    def close(self) -> None:
        """End the connection, if there is one."""


class NullQueue:
    """Stands in where there is no broker: the scheduler hands due rows to the worker itself."""

    def publish_all(self, messages: Iterable[SyncMessage]) -> set[int]:
        """Publishes nothing, and says so."""
        del messages
        return set()

    def depth(self) -> int:
        """Gives zero: nothing waits anywhere."""
        return 0

    def dead_letter(self, data: bytes, reason: str, headers: Mapping[str, object]) -> None:
        """Keep the message in the log, since there is no other place for it."""
        kept = {k: header_text(v) for k, v in headers.items()}
        logger.error("Unreadable message", extra={"data": data, "reason": reason, "headers": kept})

    def close(self) -> None:
        """Do nothing: nothing is open."""
