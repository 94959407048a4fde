"""Publishing again what was lost or has become due: the relay of the outbox."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from shared.injection_points import CrashPoint, injection_point
from shared.ledger.ledger import Ledger
from shared.pausing import Part
from shared.queue.interface import Queue
from shared.retry import RetryPolicy

logger = logging.getLogger(__name__)

BATCH = 1_000
"""Rows taken at a time: one statement and one round of confirms."""

ENOUGH_WAITING = 10_000
"""With this many messages waiting, the workers have enough to do. More would only be queued twice,
so the rest is left until the queue is shorter."""

HORIZON_MARGIN_SECONDS = 600.0
"""A row is due after a retry's delay, a message's delivery or a lease. A row due later than the
longest of them, plus this margin, was written by a clock that has gone back since."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did.

    Attributes:
        published: rows whose message the broker confirmed.
        unconfirmed: rows whose message it did not; they become due again.
        failed: rows that were failed because too many of their workers died.
    """

    published: int
    unconfirmed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Measures:
    """What alarms watch.

    Attributes:
        failed_objects: objects that need attention.
        queued_objects: objects that wait for a worker.
        oldest_queued_seconds: how long the oldest of these has waited; 0 if none waits.
        pauses: faults of the source or of a storage that make all objects wait.
        pause_reason: of the oldest of them; empty if there is none.
    """

    failed_objects: int
    queued_objects: int
    oldest_queued_seconds: float
    pauses: int = 0
    pause_reason: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """What a queued row may wait for, beside its next attempt.

    Attributes:
        delivery_seconds: how long a message may take.
        lease_seconds: how long a worker may go without a heartbeat.
        max_attempts: attempts that a row has.
    """

    delivery_seconds: float
    lease_seconds: float
    max_attempts: int


class Requeue:
    """Delivers the rows that no message delivers.

    Args:
        config: what rows wait for.
        ledger: where they are.
        queue: where their messages are published.
    """

    def __init__(self, config: Config, ledger: Ledger, queue: Queue) -> None:
        self._config = config
        self._ledger = ledger
        self._queue = queue
        retry_seconds = RetryPolicy(config.max_attempts).longest_seconds
        longest = max(retry_seconds, config.delivery_seconds, config.lease_seconds)
        self._horizon = longest + HORIZON_MARGIN_SECONDS

    def run(self, going: Callable[[], bool] = lambda: True) -> Report:
        """Publish every due row, as far as the queue has room; during a pause, one at a time.

        Args:
            going: asked before each portion; False ends the run.

        Raises:
            LedgerUnavailable: the rows cannot be read.
            QueueUnavailable: the broker is unreachable; the rows become due again.
        """
        early = self._ledger.bring_forward(self._horizon)
        if early:
            logger.warning("PostgreSQL's clock has gone back", extra={"rows": len(early)})
        failed = self._ledger.fail_exhausted(self._config.max_attempts)
        for row_id in failed:
            logger.error("object failed, its workers died", extra={"row_id": row_id})
        published = unconfirmed = 0
        room = self._room()
        while room > 0 and going():
            rows = self._ledger.take_due(min(BATCH, room), self._config.delivery_seconds)
            if not rows:
                break
            injection_point(CrashPoint.AFTER_TAKE_DUE)
            confirmed = len(self._queue.publish_all(rows))
            published += confirmed
            unconfirmed += len(rows) - confirmed
            room -= len(rows)
        return Report(published, unconfirmed, len(failed))

    def _room(self) -> int:
        """Return how many messages the workers can do something with.

        While the source is paused, all that a worker needs is a row to probe it with.
        """
        depth = self._queue.depth()
        if any(pause.part == Part.SOURCE.value for pause in self._ledger.pauses.all()):
            return 0 if depth else 1
        return ENOUGH_WAITING - depth

    def measure(self) -> Measures:
        """Count what is not synced.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        counts = self._ledger.counts()
        oldest = self._ledger.oldest_queued_seconds() or 0.0
        pauses = self._ledger.pauses.all()
        reason = pauses[0].reason if pauses else ""
        return Measures(counts.failed, counts.queued, oldest, len(pauses), reason)
