"""Settling transfers: make durable, put in place, record; a group at a time, to spare the disk.

The order is the guarantee. The content is on disk before the name, and the name before the ledger
records it. A crash in between leaves a row that is still queued, and the next attempt repeats the
step. No transaction is open while the disk works.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from functions.sync_worker.breaker import Breaker
from functions.sync_worker.stages import Stages
from functions.sync_worker.transfer import Transfer
from shared.domain import Fetched, Wanted
from shared.errors import (
    CopyUnproven,
    GiveUp,
    LedgerUnavailable,
    ObjectChanged,
    OutOfTime,
    RowRefused,
    TransferError,
)
from shared.injection_points import CrashPoint, injection_point
from shared.ledger.ledger import Ledger
from shared.ledger.rows import Claim, Outcome, Settlement
from shared.pausing import Part
from shared.retry import RetryPolicy, is_half
from shared.storage.interface import Storage

logger = logging.getLogger(__name__)

T = TypeVar("T")

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
        stages = Stages(self._clock)
        errors = {transfer.row_id: error for transfer in transfers if (error := transfer.error)}
        if complete := [transfer for transfer in transfers if transfer.row_id not in errors]:
            errors |= self._make_durable(complete)
        stages.durable()
        injection_point(CrashPoint.AFTER_DURABLE)
        ready = [transfer for transfer in transfers if transfer.row_id not in errors]
        held, in_place = self._place(ready, errors) if ready else ({}, set())
        stages.placed()
        spared = self._judge(transfers, errors, in_place)
        settlements = [
            self._settlement(t, errors.get(t.row_id), spared, in_place=t.row_id in in_place)
            for t in transfers
            if t.row_id in held or t.row_id in errors
        ]
        injection_point(CrashPoint.BEFORE_UPDATE)
        self._discard(settlements)
        recorded = self._retrying(lambda: self._ledger.settle(settlements))
        stages.recorded(transfers, recorded, errors, spared)
        injection_point(CrashPoint.AFTER_UPDATE)
        for settlement in recorded.values():
            # What a pause gives back is one problem, and has a line of its own.
            if settlement.claim.wanted.row_id not in spared:
                log_settlement(settlement)
        self._breaker.give_back(spared & recorded.keys())
        for transfer in transfers:
            if transfer.row_id not in recorded:  # another worker has the row, and its own parts
                self._remove_parts(transfer.claim)
        return list(recorded.values())

    def _judge(
        self,
        transfers: Sequence[Transfer],
        errors: Mapping[int, TransferError],
        in_place: Collection[int],
    ) -> set[int]:
        """Return the ids of rows that met a fault which is not their own."""
        written = any(t.row_id in in_place and not _was_stored(t) for t in transfers)
        works = {Part.STORAGE} if written else set()
        # What was broken off in the middle has shown that its source sends.
        if any(t.fetched or (t.begun and isinstance(t.error, OutOfTime)) for t in transfers):
            works.add(Part.SOURCE)
        claims = [transfer.claim for transfer in transfers]
        return self._retrying(lambda: self._breaker.judge(claims, errors, works))

    def _make_durable(self, transfers: Sequence[Transfer]) -> dict[int, TransferError]:
        parts = {
            t.part: t.fetched.file for t in transfers if t.part and t.fetched and not _was_stored(t)
        }
        failed = self._storage.make_durable(parts)
        return {t.row_id: failed[t.part] for t in transfers if t.part and t.part in failed}

    def _place(
        self, ready: Sequence[Transfer], errors: dict[int, TransferError]
    ) -> tuple[Mapping[int, bool], set[int]]:
        """Rename files into place, then make their names durable.

        Only the renaming is under the locks of rows and names: a disk may take minutes for the
        rest, and PostgreSQL would end the transaction, or the locks hold up other workers.

        Args:
            ready: transfers whose content is durable.
            errors: takes the reason, by row id, for which a file is not in place.

        Returns:
            The rows that are still this worker's, and those whose files are in place.
        """
        try:
            return self._place_all(ready, errors)
        except RowRefused as refused:
            if len(ready) == 1:
                errors[ready[0].row_id] = GiveUp(str(refused))
                return {}, set()
            alone = [self._place([transfer], errors) for transfer in ready]
            return {r: v for held, _ in alone for r, v in held.items()}, {
                row_id for _, in_place in alone for row_id in in_place
            }

    def _place_all(
        self, ready: Sequence[Transfer], errors: dict[int, TransferError]
    ) -> tuple[Mapping[int, bool], set[int]]:
        """Place files together; see `_place`.

        Raises:
            RowRefused: PostgreSQL does not take what it is given of one of them.
        """
        renamed: set[int] = set()  # it is done once, however often the transaction is lost
        # Chosen before they are noted as placed, because those that are left out are not.
        chosen = _one_version_per_name(ready)
        stored = {t.row_id for t in chosen if _was_stored(t)}

        def rename() -> tuple[Mapping[int, bool], Mapping[int, TransferError], list[Transfer]]:
            with self._ledger.placing() as placing:
                # All of them, in one order, so that no two workers can deadlock.
                held = placing.hold(
                    [(t.claim, t.fetched.etag if t.fetched else None) for t in chosen], stored
                )
                placeable = [t for t in chosen if held.get(t.row_id) is False]
                to_rename = [t for t in placeable if t.row_id not in renamed | stored]
                refused = self._storage.place(
                    [(t.claim.wanted, t.part) for t in to_rename if t.part],
                    {t.row_id: t.fetched.metadata for t in to_rename if t.fetched},
                )
                renamed.update({t.row_id for t in placeable} - set(refused))
            return held, refused, placeable

        held, refused, placeable = self._retrying(rename)
        errors |= refused
        placed = [t.claim.wanted for t in placeable if t.row_id not in refused]
        if written := [wanted for wanted in placed if wanted.row_id not in stored]:
            errors |= self._storage.make_names_durable(written)
        # Whose the rows are that were left out, `settle` looks itself.
        left_out = {t.row_id: True for t in ready} if len(chosen) < len(ready) else {}
        return {**left_out, **held}, {wanted.row_id for wanted in placed} - set(errors)

    def _retrying(self, operation: Callable[[], T]) -> T:
        """Perform an operation of the ledger, and repeat it while PostgreSQL is unreachable.

        Only the time of the outage counts, not that of a slow disk before it.
        """
        deadline = None
        while True:
            try:
                return operation()
            except LedgerUnavailable:
                now = self._clock()
                deadline = now + LEDGER_WAIT_SECONDS if deadline is None else deadline
                if now > deadline:
                    raise
                self._pause(LEDGER_PAUSE_SECONDS)

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
        reason = str(error)
        if transfer.is_free or transfer.row_id in spared:
            return Settlement(transfer.claim, Outcome.RETRY, reason=reason, counted=False)
        delay = self._policy.delay(error, transfer.claim.counted_attempts, self._jitter())
        if delay is None:
            return Settlement(transfer.claim, Outcome.FAILED, reason=reason)
        return Settlement(
            transfer.claim,
            Outcome.RETRY,
            reason=reason,
            delay=delay,
            counted=not is_half(error),
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
            # A person's retry continues what an object that failed has proven.
            self._remove_parts(settlement.claim, keep_proven=outcome is Outcome.FAILED)

    def _remove_parts(self, claim: Claim, *, keep_proven: bool = False) -> None:
        try:
            self._storage.discard(claim.wanted, keep_proven=keep_proven)
        except TransferError as error:
            logger.warning(
                "part not removed, it will be swept",
                extra={
                    "row_id": claim.wanted.row_id,
                    "request_id": claim.request_id,
                    "reason": str(error),
                },
            )


def _was_stored(transfer: Transfer) -> bool:
    """Return whether a transfer ended with the file that was in place already."""
    return transfer.fetched is not None and transfer.fetched.in_place


def _one_version_per_name(transfers: Sequence[Transfer]) -> list[Transfer]:
    """Leave out transfers whose version differs from an earlier one of the same name.

    Which of the two is newer is unknown, so the one left out is attempted again. A download comes
    before a file that was in place already: the latter costs less to repeat.
    """
    first: dict[str, Fetched | None] = {}
    ordered = sorted(transfers, key=_was_stored)
    return [
        t
        for t in ordered
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
            extra["in_place"] = settlement.fetched.in_place
            logger.info("object synced", extra=extra)
        case Outcome.RETRY:
            logger.warning(
                "attempt failed, object will be retried",
                extra=extra | {"reason": settlement.reason},
            )
        case Outcome.FAILED:
            logger.error("object failed", extra=extra | {"reason": settlement.reason})
