"""The queue as requeue and the worker use it: the interface, and the queue without a broker.

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
        """Publish the messages of many rows and wait for the publisher confirms.

        A message names a row and is idempotent: publishing it twice does no harm.

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

    def dead_letter_depth(self) -> int:
        """Count the dead letters.

        Raises:
            QueueUnavailable: as `depth`.
        """

    def dead_letter(self, data: bytes, reason: str, headers: Mapping[str, object]) -> None:
        """Keep a message that names no row as a dead letter.

        Args:
            data: its body.
            reason: why it is unreadable; becomes the header `reason`.
            headers: its headers, as the event had them.

        Raises:
            QueueUnavailable: the broker did not confirm it.
        """

    def close(self) -> None:
        """Close the connection, if there is one; safe to repeat."""


class NullQueue:
    """The queue of a process that has no broker and cannot deliver directly: rows stay due."""

    def publish_all(self, messages: Iterable[SyncMessage]) -> set[int]:
        """Publish nothing, and return that no row was published."""
        del messages
        return set()

    def depth(self) -> int:
        """Return zero: no message waits anywhere."""
        return 0

    def dead_letter_depth(self) -> int:
        """Return zero: they are in the log."""
        return 0

    def dead_letter(self, data: bytes, reason: str, headers: Mapping[str, object]) -> None:
        """Keep the message in the log, the only place there is."""
        kept = {k: header_text(v) for k, v in headers.items()}
        logger.error("dead letter", extra={"data": data, "reason": reason, "headers": kept})

    def close(self) -> None:
        """Do nothing: nothing is open."""
