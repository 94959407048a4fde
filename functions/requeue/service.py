"""Publishing again what was lost or has become due: the relay of the outbox."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.errors import QueueUnavailable, Unavailable
from shared.injection_points import CrashPoint, injection_point
from shared.ledger.heartbeats import SCHEDULER
from shared.ledger.ledger import Ledger
from shared.metrics import readings, tally
from shared.metrics.catalog import ATTEMPTS, UP, Sample
from shared.pausing import Part
from shared.queue.interface import Queue
from shared.queue.messages import SyncMessage
from shared.retry import RetryPolicy

logger = logging.getLogger(__name__)

BATCH = 1_000
"""Rows taken at a time: one statement and one round of confirms."""

ENOUGH_WAITING = 10_000
"""With this many messages waiting, the workers have enough to do. More would only be queued twice,
so the rest is left until the queue is shorter."""

RETRY_SHARE = 1_000
"""Retries that a run publishes first, even if the queue has enough. Under a backlog workers find
them in the ledger, long before their messages come; the messages are for when it has ended."""

BEHIND_BACKLOG = 10
"""Factor by which a message may take longer behind a full queue, before its row is published
again."""

INSTANCE = "requeue"
"""Instance of its heartbeats: one schedule runs it, wherever that is."""

HORIZON_MARGIN_SECONDS = 600.0
"""A row is due after a retry's delay, a message's delivery or a lease. A row due later than the
longest of them, plus this margin, was written by a clock that has gone back since."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did.

    Attributes:
        published: rows whose message the broker confirmed.
        unconfirmed: rows whose message it did not; they become due again.
        changed: objects of actions that their callers had left unfinished.
        failed: rows that were failed because too many of their workers died.
    """

    published: int
    unconfirmed: int
    failed: int
    changed: int = 0


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
        behind_backlog = config.delivery_seconds * BEHIND_BACKLOG
        longest = max(retry_seconds, behind_backlog, config.lease_seconds)
        self._horizon = longest + HORIZON_MARGIN_SECONDS

    def run(self, going: Callable[[], bool] = lambda: True) -> Report:
        """Publish due rows, and record that this has run: a share of retries first, then others.

        During a pause of the source one row at a time is published, to probe it with.

        Args:
            going: asked before each portion; False ends the run.

        Raises:
            LedgerUnavailable: the rows cannot be read.
            QueueUnavailable: the broker is unreachable; the rows become due again.
        """
        try:
            report = self._publish_due(going)
        except QueueUnavailable as error:
            self._ledger.heartbeats.beat(SCHEDULER, str(error), INSTANCE)
            raise
        self._ledger.heartbeats.beat(SCHEDULER, None, INSTANCE)
        return report

    def _publish_due(self, going: Callable[[], bool]) -> Report:
        changed = self._ledger.actions.finish(going)
        early = self._ledger.bring_forward(self._horizon)
        if early:
            logger.warning("PostgreSQL's clock has gone back", extra={"rows": len(early)})
        failed = self._ledger.fail_exhausted(self._config.max_attempts)
        if failed:
            tally.count(ATTEMPTS, "failed", "worker_died", by=len(failed))
        for row_id, request_id in failed.items():
            about = {"row_id": row_id, "request_id": request_id}
            logger.error("object failed, its workers died", extra=about)
        published = unconfirmed = 0
        paused = any(pause.part == Part.SOURCE.value for pause in self._ledger.pauses.all())
        for rows in self._probe(going) if paused else self._portions(going):
            injection_point(CrashPoint.AFTER_TAKE_DUE)
            confirmed = len(self._queue.publish_all(rows))
            published += confirmed
            unconfirmed += len(rows) - confirmed
        return Report(published, unconfirmed, len(failed), changed)

    def _probe(self, going: Callable[[], bool]) -> Iterator[list[SyncMessage]]:
        """Take one row: while the source is paused, a worker needs no more than one to probe it."""
        if going() and not self._queue.depth():
            rows = self._ledger.take_due(1, self._config.delivery_seconds)
            if rows:
                yield rows

    def _portions(self, going: Callable[[], bool]) -> Iterator[list[SyncMessage]]:
        """Take due rows: a share of retries first, then others until the queue has enough."""
        room = ENOUGH_WAITING - self._queue.depth()
        seconds = self._config.delivery_seconds * (1 if room > 0 else BEHIND_BACKLOG)
        rows = self._ledger.take_due(RETRY_SHARE, seconds, retries=True) if going() else []
        if rows:
            yield rows
        room -= len(rows)
        while room > 0 and going():
            rows = self._ledger.take_due(min(BATCH, room), seconds)
            if not rows:
                return
            yield rows
            room -= len(rows)

    def gauges(self) -> Iterator[Sample]:
        """Return the gauges of ledger and queue, under the names that they have on /metrics.

        Of a part that cannot be read there is `sync_up` alone, which is 0.
        """
        parts: dict[str, Callable[[], list[Sample]]] = {
            "database": lambda: readings.of_ledger(self._ledger),
            "queue": lambda: readings.of_queue(self._queue),
        }
        for part, read in parts.items():
            samples = _read(part, read)
            yield from samples or ()
            yield Sample(UP, samples is not None, (part,))


def _read(part: str, read: Callable[[], list[Sample]]) -> list[Sample] | None:
    try:
        return read()
    except Unavailable as error:
        logger.warning("metrics not read", extra={"part": part, "reason": str(error)})
    except Exception:  # a defect in what is measured must not stop the delivery
        logger.exception("metrics not read", extra={"part": part})
    return None
