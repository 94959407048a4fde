"""Settling transfers: make durable, put in place, record; a group at a time, to spare the disk.

The order is the guarantee. The content is on disk before the name, and the name before the ledger
records it. A crash in between leaves a row that is still queued, and the next attempt repeats the
step.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from functions.sync_worker.breaker import Breaker
from functions.sync_worker.transfer import Transfer
from shared.domain import Fetched, Wanted
from shared.errors import (
    CopyUnproven,
    LedgerUnavailable,
    ObjectChanged,
    OutOfTime,
    RowRefused,
    TransferError,
)
from shared.injection_points import CrashPoint, injection_point
from shared.ledger.ledger import Ledger, refused_settlement
from shared.ledger.rows import Outcome, Settlement
from shared.pausing import Part
from shared.retry import RetryPolicy
from shared.storage.interface import Storage

logger = logging.getLogger(__name__)

LEDGER_WAIT_SECONDS = 20.0
"""While PostgreSQL restarts, finished transfers wait for it this long; after that they are left to
the next attempt."""

LEDGER_PAUSE_SECONDS = 0.5


class Settler:
    """Settles ended transfers.

    Args:
        ledger: where outcomes are recorded.
        storage: where files are written to.
        policy: when a failed transfer is retried.
        breaker: which failures do not count, because they concern all objects.
        jitter: returns numbers from 0 to 1, evenly distributed.
        pause: waits for a number of seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        storage: Storage,
        policy: RetryPolicy,
        breaker: Breaker,
        *,
        jitter: Callable[[], float],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._storage = storage
        self._policy = policy
        self._breaker = breaker
        self._jitter = jitter
        self._pause = pause
        self._clock = clock

    def settle(self, transfers: Sequence[Transfer]) -> list[Settlement]:
        """Settle transfers that have succeeded or failed.

        Returns:
            What was recorded, without transfers whose rows another worker has taken over.

        Raises:
            LedgerUnavailable: nothing could be recorded; the rows stay claimed until their leases
                run out.
        """
        errors = {transfer.row_id: error for transfer in transfers if (error := transfer.error)}
        if complete := [transfer for transfer in transfers if transfer.row_id not in errors]:
            errors |= self._make_durable(complete)
        injection_point(CrashPoint.AFTER_DURABLE)
        spared = self._judge(transfers, errors)
        placed: set[int] = set()
        deadline = self._clock() + LEDGER_WAIT_SECONDS
        while True:
            try:
                settlements = self._record_each(transfers, errors, placed, spared)
                break
            except LedgerUnavailable:
                if self._clock() > deadline:
                    raise
                self._pause(LEDGER_PAUSE_SECONDS)
        injection_point(CrashPoint.AFTER_UPDATE)
        for settlement in settlements:
            # What a pause gives back is one problem, and has a line of its own.
            if settlement.claim.wanted.row_id not in spared:
                log_settlement(settlement)
        recorded = {settlement.claim.wanted.row_id for settlement in settlements}
        for transfer in transfers:
            if transfer.row_id not in recorded:  # another worker has the row, and its own parts
                self._remove_parts(transfer.claim.wanted)
        return settlements

    def _make_durable(self, transfers: Sequence[Transfer]) -> dict[int, TransferError]:
        parts = {t.part: t.fetched.file for t in transfers if t.part and t.fetched}
        failed = self._storage.make_durable(parts)
        return {t.row_id: failed[t.part] for t in transfers if t.part and t.part in failed}

    def _judge(
        self, transfers: Sequence[Transfer], errors: Mapping[int, TransferError]
    ) -> set[int]:
        """Return the ids of rows whose fault is not their own, and that nothing works for."""
        works = {Part.SOURCE for transfer in transfers if transfer.fetched or transfer.begun}
        if any(transfer.row_id not in errors for transfer in transfers):
            works.add(Part.STORAGE)
        return self._breaker.judge([transfer.claim for transfer in transfers], errors, works)

    def _record_each(
        self,
        transfers: Sequence[Transfer],
        errors: Mapping[int, TransferError],
        placed: set[int],
        spared: set[int],
    ) -> list[Settlement]:
        """Record together, or one by one if PostgreSQL refuses what it is given of one."""
        try:
            return self._record(transfers, errors, placed, spared)
        except RowRefused as refused:
            if len(transfers) > 1:
                return [
                    s for t in transfers for s in self._record_each([t], errors, placed, spared)
                ]
            failed = refused_settlement(transfers[0].claim, refused)
            return [failed] if self._ledger.settle([failed]) else []

    def _record(
        self,
        transfers: Sequence[Transfer],
        errors: Mapping[int, TransferError],
        placed: set[int],
        spared: set[int],
    ) -> list[Settlement]:
        ready = [transfer for transfer in transfers if transfer.row_id not in errors]
        if not ready:
            settlements = [self._failure(t, errors[t.row_id], spared) for t in transfers]
            self._discard(settlements)
            taken = self._ledger.settle(settlements)
            return [s for s in settlements if s.claim.wanted.row_id in taken]
        with self._ledger.placing() as placing:
            # All of them, in one order, so that no two workers can deadlock.
            held = placing.hold(
                [(t.claim, t.fetched.etag if t.fetched else None) for t in transfers]
            )
            placeable = _one_version_per_name([t for t in ready if held.get(t.row_id) is False])
            refused = self._storage.place(
                [(t.claim.wanted, t.part) for t in placeable if t.part and t.row_id not in placed],
                {t.row_id: t.fetched.metadata for t in placeable if t.fetched},
            )
            in_place = {transfer.row_id for transfer in placeable} - set(refused)
            placed |= in_place
            why_not = {**refused, **errors}
            spared |= self._breaker.judge([t.claim for t in placeable], refused)
            settlements = [
                self._settlement(t, why_not.get(t.row_id), spared, in_place=t.row_id in in_place)
                for t in transfers
                if t.row_id in held
            ]
            injection_point(CrashPoint.BEFORE_UPDATE)
            self._discard(settlements)
            taken = placing.settle(settlements)
        return [s for s in settlements if s.claim.wanted.row_id in taken]

    def _settlement(
        self,
        transfer: Transfer,
        error: TransferError | None,
        spared: Collection[int],
        *,
        in_place: bool,
    ) -> Settlement:
        if in_place:
            return Settlement(transfer.claim, Outcome.SYNCED, fetched=transfer.fetched)
        if error:
            return self._failure(transfer, error, spared)
        # Another version of the object came first. This one did not fail, so it costs no attempt.
        return Settlement(transfer.claim, Outcome.RETRY, reason=str(ObjectChanged()), counted=False)

    def _failure(
        self, transfer: Transfer, error: TransferError, spared: Collection[int]
    ) -> Settlement:
        if transfer.row_id in spared:
            return Settlement(transfer.claim, Outcome.RETRY, reason=str(error), counted=False)
        delay = self._policy.delay(error, transfer.claim.counted_attempts, self._jitter())
        if delay is None:
            return Settlement(transfer.claim, Outcome.FAILED, reason=str(error))
        never_ran = isinstance(error, OutOfTime) and not transfer.begun
        return Settlement(
            transfer.claim,
            Outcome.RETRY,
            reason=str(error),
            delay=delay,
            counted=not never_ran,
            unproven=error.copy if isinstance(error, CopyUnproven) else None,
        )

    def _discard(self, settlements: Sequence[Settlement]) -> None:
        """Remove the parts that no attempt will continue, before the outcome is committed.

        A row in its last state is never looked at again. If parts were removed after the commit, a
        worker that dies in between would leave them forever; this way the row is attempted once
        more.
        """
        for settlement in settlements:
            wanted, outcome = settlement.claim.wanted, settlement.outcome
            # A retry may continue its part; a first attempt that succeeded has left nothing.
            if outcome is Outcome.RETRY or (outcome is Outcome.SYNCED and wanted.attempt == 1):
                continue
            self._remove_parts(wanted)

    def _remove_parts(self, wanted: Wanted) -> None:
        try:
            self._storage.discard(wanted)
        except TransferError as error:
            logger.warning(
                "part not removed, it will be swept",
                extra={"row_id": wanted.row_id, "reason": str(error)},
            )


def _one_version_per_name(transfers: Sequence[Transfer]) -> list[Transfer]:
    """Leave out transfers whose version differs from an earlier one of the same name.

    Which of the two is newer is unknown, so the one left out is downloaded again.
    """
    first: dict[str, Fetched | None] = {}
    return [
        t
        for t in transfers
        if _same_version(first.setdefault(t.claim.wanted.file_name, t.fetched), t.fetched)
    ]


def _same_version(one: Fetched | None, other: Fetched | None) -> bool:
    return one is not None and other is not None and one.sha256 == other.sha256


def log_settlement(settlement: Settlement) -> None:
    """Log how an attempt ended."""
    wanted: Wanted = settlement.claim.wanted
    extra: dict[str, object] = {
        "row_id": wanted.row_id,
        "attempt": wanted.attempt,
        "request_id": settlement.claim.request_id,
        "file_name": wanted.file_name,
    }
    match settlement.outcome:
        case Outcome.SYNCED if settlement.fetched:
            extra["verified_by"] = settlement.fetched.verified_by
            logger.info("object synced", extra=extra)
        case Outcome.RETRY:
            logger.warning(
                "attempt failed, object will be retried",
                extra=extra | {"reason": settlement.reason},
            )
        case Outcome.FAILED:
            logger.error("object failed", extra=extra | {"reason": settlement.reason})
