"""The publisher on Lambda: a message is sent before the function returns."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from shared.errors import QueueUnavailable
from shared.metrics import tally
from shared.metrics.catalog import MESSAGES_CONFIRMED, MESSAGES_LOST
from shared.queue.messages import SyncMessage
from shared.queue.publisher import Counts
from shared.queue.rabbitmq.session import Session
from shared.queue.rabbitmq.topology import publication

logger = logging.getLogger(__name__)

TIMEOUT = 1.0
"""Seconds that a request may be delayed while the broker is unreachable or slow."""

BACK_OFF_SECONDS = 5.0
"""Seconds after a failure in which no further request spends time on an attempt."""


class BlockingPublisher:
    """Publishes in the caller's thread and waits for the confirm, on one connection per process.

    Args:
        url: of the broker.
        timeout: seconds that publishing one message may take.
        clock: a clock that never goes backwards.
        wall_clock: seconds since 1970, stamped on the messages.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = Session(url, timeout=timeout)
        self._clock = clock
        self._wall_clock = wall_clock
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
            confirmed = self._session.publish([publication(message, self._wall_clock())])
        except QueueUnavailable as error:
            self._backing_off_until = self._clock() + BACK_OFF_SECONDS
            self._lose("broker unreachable", message, str(error))
            return
        if confirmed:
            self._confirmed += 1
            tally.count(MESSAGES_CONFIRMED)
        else:
            self._lose("refused or unroutable", message)

    def close(self, timeout: float) -> None:  # noqa: ARG002 - nothing waits here
        """Close the connection; see `Publisher.close`."""
        self._session.close()
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
