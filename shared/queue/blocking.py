"""The publisher on Lambda: a message is sent before the function returns."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from shared.config.renewal import mark_stale
from shared.errors import QueueUnavailable
from shared.metrics import tally
from shared.metrics.catalog import MESSAGES_CONFIRMED, MESSAGES_LOST
from shared.queue.messages import SyncMessage
from shared.queue.publisher import Counts

logger = logging.getLogger(__name__)

TIMEOUT = 1.0
"""Seconds that a request may be delayed while the broker is unreachable or slow."""

BACK_OFF_SECONDS = 5.0
"""Seconds after a failure in which no further request spends time on an attempt."""


class Sender(Protocol):
    """What takes one message to the queue, over a connection that is kept."""

    def send(self, message: SyncMessage) -> bool:
        """Send a message, and return whether the queue has it.

        Raises:
            QueueUnavailable: that is not known.
        """

    def close(self) -> None:
        """Close the connection, if there is one; safe to repeat."""


class BlockingPublisher:
    """Publishes in the caller's thread and waits for the confirm, on one connection per process.

    Args:
        sender: takes the messages to the queue, each within `TIMEOUT`.
        clock: a clock that never goes backwards.
    """

    def __init__(self, sender: Sender, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sender = sender
        self._clock = clock
        self._backing_off_until = clock()
        self._published = 0
        self._confirmed = 0
        self._lost: Counter[str] = Counter()

    def publish(self, row_id: int, request_id: str) -> None:
        """Publish a row's message; see `Publisher.publish`."""
        self._published += 1
        message = SyncMessage(row_id, request_id)
        if self._clock() < self._backing_off_until:
            self._lose("broker unreachable", message)
            return
        try:
            confirmed = self._sender.send(message)
        except QueueUnavailable as error:
            self._backing_off_until = self._clock() + BACK_OFF_SECONDS
            mark_stale()  # the login in its URL: the broker's refusal looks like this, too
            self._lose("broker unreachable", message, str(error))
            return
        if confirmed:
            self._confirmed += 1
            tally.count(MESSAGES_CONFIRMED)
        else:
            self._lose("refused or unroutable", message)

    def close(self, timeout: float) -> None:  # noqa: ARG002 - nothing waits here
        """Close the connection; see `Publisher.close`."""
        self._sender.close()
        if self._published:
            logger.info("publisher closed", extra=self.counts().fields())

    def counts(self) -> Counts:
        """Return the counts so far; see `Publisher.counts`."""
        return Counts(self._published, self._confirmed, dict(self._lost))

    def _lose(self, reason: str, message: SyncMessage, error: str = "") -> None:
        self._lost[reason] += 1
        tally.count(MESSAGES_LOST, reason.replace(" ", "_"))
        logger.warning(
            "message lost, requeue delivers the row",
            extra={
                "row_id": message.row_id,
                "request_id": message.request_id,
                "reason": f"{reason}: {error}" if error else reason,
            },
        )
