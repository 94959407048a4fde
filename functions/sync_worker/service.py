"""Working through an invocation's rows: claim a slice, copy, settle what has ended, repeat."""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Callable, Iterable, Sequence

from functions.sync_worker.batch import Batch
from functions.sync_worker.breaker import Allowance, Breaker
from functions.sync_worker.intake import AGAIN_SECONDS, Config, Intake
from functions.sync_worker.lease import LeaseKeeper
from functions.sync_worker.pace import Pace
from functions.sync_worker.pulse import Pulse
from functions.sync_worker.settler import Settler
from functions.sync_worker.settling import POLL_SECONDS, SettlingThread
from functions.sync_worker.transfer import start_transfer
from shared.config.shutdown import end_process
from shared.errors import (
    LedgerLost,
    LedgerUnavailable,
    OutOfTime,
    StorageUnavailable,
    TransferError,
    WorkerStopping,
)
from shared.injection_points import CrashPoint, injection_point
from shared.ledger.ledger import Ledger
from shared.ledger.rows import Claim, Outcome
from shared.sources.interface import ObjectSource
from shared.storage.interface import Storage

logger = logging.getLogger(__name__)

__all__ = ["Config", "SyncWorker"]

MARGIN_SECONDS = 10.0
"""With less time than this left, running transfers are broken off, so that their end can still be
recorded before the platform stops the function."""

ROWS_PER_RETRY = 4
"""A batch brings along one due retry for each so many rows, so that a fifth of what is attempted
under a backlog is retries."""

RECORD_SECONDS = 2.5
"""How long the end of transfers that were broken off may take to be recorded: with their winding up
a worker that is to stop has ended within 5 s."""

ABANDONED_SECONDS = 86_400.0
"""Parts that no attempt has touched for a day are abandoned: retries come sooner."""

SWEEP_SECONDS = 3_600.0
"""Seconds between two searches for them."""


class SyncWorker:
    """Copies the objects that rows of the ledger ask for.

    Args:
        config: how long a claim is held, and how many rows are.
        ledger: where rows are claimed.
        source: where objects come from.
        storage: where files are written to.
        settler: ends transfers.
        breaker: whether rows may be claimed.
        clock: monotonic seconds.
        end_process: ends this process at once, with the reason in the log.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        source: ObjectSource,
        storage: Storage,
        settler: Settler,
        breaker: Breaker,
        *,
        clock: Callable[[], float] = time.monotonic,
        end_process: Callable[[str], None] = end_process,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._source = source
        self._storage = storage
        self._settler = settler
        self._breaker = breaker
        self._clock = clock
        self._end_process = end_process
        self._pulse = Pulse(ledger.heartbeats, config.standing_seconds / 5, clock)
        self._pace = Pace(config.concurrency)
        self._sweep_at = clock()
        self._waits_since: float | None = None

    def warm_up(self) -> None:
        """Load in advance what the first copy needs."""
        self._source.warm_up()

    def work(
        self,
        row_ids: Iterable[int],
        seconds_left: Callable[[], float],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> collections.Counter[Outcome]:
        """Attempt each of the rows that may be attempted now, once.

        Rows that are synced, failed, not due or held by another worker are skipped. What there is
        no time for is handed back: its rows are due at once.

        Args:
            row_ids: the rows that messages named.
            seconds_left: returns the time until the platform stops the function.
            is_stopping: returns whether this process is to end.

        Returns:
            The number of attempts by outcome.

        Raises:
            LedgerUnavailable: outcomes cannot be recorded.
        """
        batch = Batch(self._pace.few)
        rows = self._with_due_retries(row_ids)
        intake = Intake(self._config, self._ledger, rows, self._pace)
        settling = SettlingThread(self._settler, batch)
        keeper = LeaseKeeper(
            self._ledger,
            self._config.lease_seconds,
            batch.claims,
            lambda lost: _drop(batch, lost),
            lambda: self._look(batch, settling),
        )
        why: type[OutOfTime] = OutOfTime
        with keeper, settling:
            try:
                going = not is_stopping() and self._claim(intake, batch, suspects=False)
                while going and self._has_work(intake, batch) and not is_stopping():
                    if seconds_left() <= MARGIN_SECONDS:
                        break
                    going = self._claim(intake, batch, suspects=True)
                    settling.check()
                    if batch.held or self._breaker.is_open or intake.is_waiting:
                        batch.wait(AGAIN_SECONDS if intake.is_waiting else POLL_SECONDS)
            except LedgerUnavailable:
                why = LedgerLost
                raise
            finally:
                batch.break_off(batch.claims(), WorkerStopping if is_stopping() else why)
            if not settling.finish(RECORD_SECONDS if is_stopping() else MARGIN_SECONDS):
                logger.error("outcomes not recorded in time", extra={"objects": batch.held})
            self._hand_back(intake.left)
        if not is_stopping():
            self._sweep()
            self._pulse.beat(batch, settling)
        return settling.outcomes

    def _claim(self, intake: Intake, batch: Batch, *, suspects: bool) -> bool:
        """Claim what may be claimed now, and return False to leave the rest to the ledger."""
        match self._breaker.allowance():
            case Allowance.ALL:
                self._start(intake.fresh(batch), batch)
                if suspects:
                    self._start(intake.suspects(batch), batch)
            case Allowance.PROBE:
                claims = intake.probe()
                self._breaker.began(claims)
                self._start(claims, batch)
            case Allowance.NONE:
                batch.break_off(self._breaker.overdue_probes(), OutOfTime)
                if self._breaker.has_begun_to_wait():
                    self._hand_back(intake.left)  # another machine may be able to take them
                return bool(batch.held) or not self._breaker.has_waited()
        return True

    def _has_work(self, intake: Intake, batch: Batch) -> bool:
        held = batch.held  # first: what a transfer gives back is there once it is not held
        intake.take_back(self._breaker.given_back())
        intake.follow(batch.ended_slowly())
        return intake.has_work(held)

    def _with_due_retries(self, row_ids: Iterable[int]) -> list[int]:
        """Return the rows of a batch, each once, and its share of retries that are due.

        Their messages may be at the end of a long queue, or not be published for its length.
        """
        found = list(dict.fromkeys(row_ids))
        most = -(-len(found) // ROWS_PER_RETRY)
        retries = self._ledger.due_retries(most, self._config.max_attempts) if most else []
        return list(dict.fromkeys([*found, *retries]))

    def _start(self, claims: Sequence[Claim], batch: Batch) -> None:
        if not claims:
            return
        claimed_at = time.monotonic()
        injection_point(CrashPoint.AFTER_CLAIM)
        self._waits_since = self._clock()
        try:
            parts = self._storage.parts([claim.wanted for claim in claims])
        finally:
            self._waits_since = None
        for claim in claims:
            part = parts[claim.wanted.row_id]
            batch.add(start_transfer(claim, part, self._source, claimed_at))

    def _look(self, batch: Batch, settling: SettlingThread) -> None:
        self._end_standing(batch, settling)
        self._pulse.beat(batch, settling, self._waits_since)

    def _end_standing(self, batch: Batch, settling: SettlingThread) -> None:
        """Break off copies without progress; end the process if that, or a disk, hangs."""
        limit, now = self._config.standing_seconds, self._clock()
        reason = f"no progress for {limit:g} s"
        claims = [transfer.claim for transfer in batch.standing(now, limit)]
        if claims:
            logger.error("copies broken off", extra={"reason": reason, "objects": len(claims)})
            if not batch.break_off(claims, lambda: StorageUnavailable(reason)):
                self._end_process(f"a thread that copies has made {reason}")
        since = self._waits_since
        if since is not None and now - since > limit:  # it hangs before there are copies
            self._end_process(f"the storage has not opened files: {reason}")
        since = settling.busy_since
        if since is not None and now - since > 2 * limit:  # a slow disk is no hung one
            self._end_process(f"settling has made {reason}, twice over")

    def _hand_back(self, row_ids: Sequence[int]) -> None:
        if not row_ids:
            return
        try:
            self._ledger.hand_back(row_ids)
        except LedgerUnavailable:
            logger.warning("rows not handed back, they are due later")

    def _sweep(self) -> None:
        """Remove abandoned parts, from time to time."""
        if self._clock() < self._sweep_at:
            return
        self._sweep_at = self._clock() + SWEEP_SECONDS
        try:
            swept = self._storage.sweep(ABANDONED_SECONDS)
        except TransferError as error:
            logger.warning("parts not swept", extra={"reason": str(error)})
        else:
            if swept:
                logger.info("abandoned parts swept", extra={"parts": swept})


def _drop(batch: Batch, lost: Sequence[Claim]) -> None:
    """Break off transfers whose rows another worker has."""
    batch.break_off(lost, OutOfTime)
