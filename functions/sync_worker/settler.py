"""Ending copies: make durable, put in place, record. A group at a time, for the disk's sake.

The order is the promise. Content is on disk before its name is; the name is before the ledger
says so. A crash in between leaves a row that is still queued, and the next attempt does the step
again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from functions.sync_worker.transfer import Copy
from shared.domain import Fetched, Wanted
from shared.errors import LedgerUnavailable, ObjectChanged, OutOfTime, TransferError
from shared.injection_points import CrashPoint, injection_point
from shared.ledger.ledger import Ledger
from shared.ledger.rows import Outcome, Settlement
from shared.retry import RetryPolicy
from shared.storage.interface import Storage

logger = logging.getLogger(__name__)

LEDGER_PATIENCE_SECONDS = 20.0
"""While PostgreSQL restarts, finished copies wait for it; after so many seconds they are left to
the next attempt."""

LEDGER_PAUSE_SECONDS = 0.5


class Settler:
    """Settles ended copies.

    Args:
        ledger: where outcomes are recorded.
        storage: where files end.
        policy: when a failed copy is tried again.
        jitter: gives numbers from 0 to 1, evenly spread.
        pause: waits for so many seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        storage: Storage,
        policy: RetryPolicy,
        jitter: Callable[[], float],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._storage = storage
        self._policy = policy
        self._jitter = jitter
        self._pause = pause
        self._clock = clock

    def settle(self, copies: Sequence[Copy]) -> list[Settlement]:
        """Settle copies whose content has come or failed to.

        Returns:
            What was recorded. A copy whose row has been taken over is not among it.

        Raises:
            LedgerUnavailable: nothing could be recorded; the rows stay claimed until their leases
                run out.
        """
        errors = {copy.row_id: error for copy in copies if (error := copy.error)}
        if complete := [copy for copy in copies if copy.row_id not in errors]:
            errors |= self._make_durable(complete)
        injection_point(CrashPoint.AFTER_DURABLE)
        placed: set[int] = set()
        patience = self._clock() + LEDGER_PATIENCE_SECONDS
        while True:
            try:
                settlements = self._record(copies, errors, placed)
                break
            except LedgerUnavailable:
                if self._clock() > patience:
                    raise
                self._pause(LEDGER_PAUSE_SECONDS)
        injection_point(CrashPoint.AFTER_UPDATE)
        for settlement in settlements:
            log_settlement(settlement)
        recorded = {settlement.claim.wanted.row_id for settlement in settlements}
        for copy in copies:
            if copy.row_id not in recorded:  # somebody else has the row, and parts of his own
                self._remove_parts(copy.claim.wanted)
        return settlements

    def _make_durable(self, copies: Sequence[Copy]) -> dict[int, TransferError]:
        try:
            self._storage.make_durable([copy.part for copy in copies if copy.part])
        except TransferError as error:
            if len(copies) == 1:
                return {copies[0].row_id: error}
            # One of them is to blame; the others must not wait for it.
            alone = [self._make_durable([copy]) for copy in copies]
            return {row_id: found for errors in alone for row_id, found in errors.items()}
        return {}

    def _record(
        self, copies: Sequence[Copy], errors: Mapping[int, TransferError], placed: set[int]
    ) -> list[Settlement]:
        ready = [copy for copy in copies if copy.row_id not in errors]
        if not ready:
            settlements = [self._failure(copy, errors[copy.row_id]) for copy in copies]
            self._discard(settlements)
            taken = self._ledger.settle(settlements)
            return [s for s in settlements if s.claim.wanted.row_id in taken]
        with self._ledger.placing() as placing:
            # All of them, in one order, so that nobody who locks several waits in a circle.
            held = placing.hold([(c.claim, c.fetched.etag if c.fetched else None) for c in copies])
            placeable = _one_version_a_name([c for c in ready if held.get(c.row_id) is False])
            refused = self._storage.place(
                [(c.claim.wanted, c.part) for c in placeable if c.part and c.row_id not in placed]
            )
            in_place = {copy.row_id for copy in placeable} - set(refused)
            placed |= in_place
            why_not = {**refused, **errors}
            settlements = [
                self._settlement(c, why_not.get(c.row_id), in_place=c.row_id in in_place)
                for c in copies
                if c.row_id in held
            ]
            injection_point(CrashPoint.BEFORE_UPDATE)
            self._discard(settlements)
            taken = placing.settle(settlements)
        return [s for s in settlements if s.claim.wanted.row_id in taken]

    def _settlement(self, copy: Copy, error: TransferError | None, *, in_place: bool) -> Settlement:
        if in_place:
            return Settlement(copy.claim, Outcome.SYNCED, fetched=copy.fetched)
        if error:
            return self._failure(copy, error)
        # Another version of its name came first. Nothing is wrong with it, so it costs no attempt.
        return Settlement(copy.claim, Outcome.RETRY, reason=str(ObjectChanged()), counted=False)

    def _failure(self, copy: Copy, error: TransferError) -> Settlement:
        delay = self._policy.delay(error, copy.claim.tries, self._jitter())
        if delay is None:
            return Settlement(copy.claim, Outcome.FAILED, reason=str(error))
        never_ran = isinstance(error, OutOfTime) and not copy.begun
        return Settlement(
            copy.claim, Outcome.RETRY, reason=str(error), delay=delay, counted=not never_ran
        )

    def _discard(self, settlements: Sequence[Settlement]) -> None:
        """Remove the parts that nobody will continue, before the ledger says so.

        Nobody looks again at a row that has come to its end. A worker that died in between would
        leave its parts for good the other way round; this way the row is attempted once more.
        """
        for settlement in settlements:
            wanted, outcome = settlement.claim.wanted, settlement.outcome
            # What is retried may be continued; a first attempt that succeeded has left nothing.
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


def _one_version_a_name(copies: Sequence[Copy]) -> list[Copy]:
    """Leave out copies of another version than an earlier one of the same name.

    Which of the two is newer cannot be told, so the one left out is fetched again.
    """
    first: dict[str, Fetched | None] = {}
    return [
        copy
        for copy in copies
        if _same_version(first.setdefault(copy.claim.wanted.file_name, copy.fetched), copy.fetched)
    ]


def _same_version(one: Fetched | None, other: Fetched | None) -> bool:
    return one is not None and other is not None and one.sha256 == other.sha256


def log_settlement(settlement: Settlement) -> None:
    """Log how an attempt ended."""
    wanted: Wanted = settlement.claim.wanted
    extra = {
        "row_id": wanted.row_id,
        "attempt": wanted.attempt,
        "request_id": settlement.claim.request_id,
        "file_name": wanted.file_name,
    }
    match settlement.outcome:
        case Outcome.SYNCED:
            logger.info("object synced", extra=extra)
        case Outcome.RETRY:
            logger.warning("object to be retried", extra=extra | {"reason": settlement.reason})
        case Outcome.FAILED:
            logger.error("object failed", extra=extra | {"reason": settlement.reason})
