"""Working through a batch of rows: claim, transfer in parallel, settle what has ended, repeat."""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from functions.sync_worker.batch import Batch
from functions.sync_worker.breaker import PROBE_SECONDS, Breaker
from functions.sync_worker.lease import LeaseKeeper
from functions.sync_worker.settler import Settler
from functions.sync_worker.transfer import start_transfer
from shared.errors import TransferError
from shared.injection_points import CrashPoint, injection_point
from shared.ledger.ledger import Ledger
from shared.ledger.rows import Claim, Outcome
from shared.sources.interface import ObjectSource
from shared.storage.interface import Storage

logger = logging.getLogger(__name__)

MARGIN_SECONDS = 10.0
"""With less time than this left, running transfers are broken off, so that their end can still be
recorded before the platform stops the function."""

ABANDONED_SECONDS = 86_400.0
"""Parts that no attempt has touched for a day are abandoned: retries come sooner."""

SWEEP_SECONDS = 3_600.0
"""Seconds between two searches for them."""


@dataclass(frozen=True, slots=True)
class Config:
    """How long a claim is held, and how often a row is attempted.

    Attributes:
        lease_seconds: how long a claim lasts without a heartbeat of its worker.
        max_attempts: attempts that a row has.
    """

    lease_seconds: float
    max_attempts: int


class SyncWorker:
    """Copies the objects that rows of the ledger ask for.

    Args:
        config: how long a claim is held.
        ledger: where rows are claimed.
        source: where objects come from.
        storage: where files are written to.
        settler: ends transfers.
        breaker: whether rows may be claimed.
        clock: monotonic seconds.
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
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._source = source
        self._storage = storage
        self._settler = settler
        self._breaker = breaker
        self._clock = clock
        self._sweep_at = clock()

    def work(
        self, row_ids: Iterable[int], seconds_left: Callable[[], float]
    ) -> collections.Counter[Outcome]:
        """Attempt each of the rows that may be attempted now, once.

        Rows that are synced, failed, not due or held by another worker are skipped. A row whose
        last worker is presumed dead is attempted alone: if it kills this worker too, no other row
        loses an attempt.

        Args:
            row_ids: the rows that messages named.
            seconds_left: returns the time until the platform stops the function.

        Returns:
            The number of attempts by outcome.

        Raises:
            LedgerUnavailable: outcomes cannot be recorded.
        """
        waiting = list(dict.fromkeys(row_ids))
        outcomes: collections.Counter[Outcome] = collections.Counter()
        probed: set[int] = set()

        def has_time() -> bool:
            return seconds_left() > MARGIN_SECONDS

        while waiting and (most := self._breaker.may_claim(waiting, has_time)):
            # If one row's probe has failed, the next one is another row's.
            offered = [row_id for row_id in waiting if most > 1 or row_id not in probed] or waiting
            claims = self._claim(offered, suspect=False, most=min(most, len(offered)))
            if not claims and has_time():
                claims = self._claim(offered, suspect=True, most=1)
            if not claims:
                break
            time_left = seconds_left if most > 1 else self._probe_time(seconds_left)
            outcomes += self._attempt(claims, time_left)
            claimed = {claim.wanted.row_id for claim in claims}
            again = self._breaker.given_back()
            waiting = [row for row in waiting if row not in claimed or row in again]
            probed = probed | claimed if most == 1 else set()
            if not has_time():
                break
        self._sweep()
        return outcomes

    def _probe_time(self, seconds_left: Callable[[], float]) -> Callable[[], float]:
        """Return the time left for a probe, which shows what it is to show within seconds."""
        deadline = self._clock() + PROBE_SECONDS + MARGIN_SECONDS
        return lambda: min(seconds_left(), deadline - self._clock())

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

    def _claim(self, row_ids: Sequence[int], *, suspect: bool, most: int) -> list[Claim]:
        return self._ledger.claim(
            row_ids,
            lease_seconds=self._config.lease_seconds,
            max_attempts=self._config.max_attempts,
            suspect=suspect,
            most=most,
        )

    def _attempt(
        self, claims: Sequence[Claim], seconds_left: Callable[[], float]
    ) -> collections.Counter[Outcome]:
        outcomes: collections.Counter[Outcome] = collections.Counter()
        if not claims:
            return outcomes
        batch = Batch()
        keeper = LeaseKeeper(
            self._ledger, self._config.lease_seconds, batch.claims, batch.break_off
        )
        injection_point(CrashPoint.AFTER_CLAIM)
        try:
            with keeper:
                parts = self._storage.parts([claim.wanted for claim in claims])
                for claim in claims:
                    batch.add(start_transfer(claim, parts[claim.wanted.row_id], self._source))
                while batch.claims():
                    ended = batch.ended(seconds_left() - MARGIN_SECONDS)
                    outcomes.update(s.outcome for s in self._settler.settle(ended))
                    batch.remove(ended)
        finally:
            batch.break_off(batch.claims())
        return outcomes
