"""What a group of settled transfers adds to the metrics: how they ended, and how long it took."""

from __future__ import annotations

import collections
from collections.abc import Callable, Collection, Mapping, Sequence

from functions.sync_worker.transfer import Transfer
from shared.errors import ObjectChanged, RowRefused, TransferError
from shared.ledger.rows import Outcome, Settlement
from shared.metrics import tally
from shared.metrics.catalog import ATTEMPTS, BYTES, OBJECT_SECONDS, STAGE_SECONDS
from shared.metrics.tally import reason_class

IN_PLACE = "in_place"
"""Class of reason of a synced attempt that downloaded nothing: the file was there already."""

SPARED = "spared"
"""Outcome of an attempt that met a pause: it does not count, and no other outcome tells so."""


class Stages:
    """The times at which a group has passed each stage; a group shares them from its end on.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._durable_at = self._placed_at = 0.0

    def durable(self) -> None:
        """Note that the content of the group is on disk."""
        self._durable_at = self._clock()

    def placed(self) -> None:
        """Note that its names are."""
        self._placed_at = self._clock()

    def recorded(
        self,
        transfers: Sequence[Transfer],
        recorded: Mapping[int, Settlement],
        errors: Mapping[int, TransferError],
        spared: Collection[int],
    ) -> None:
        """Note that the ledger has recorded the group, and count it.

        Args:
            transfers: the group.
            recorded: by row id, what was recorded of them.
            errors: by row id, why some failed.
            spared: ids of rows whose attempts do not count.
        """
        now = self._clock()
        ended: collections.Counter[tuple[str, str]] = collections.Counter()
        synced = []
        for transfer in transfers:
            settlement = recorded.get(transfer.row_id)
            if settlement is None:
                continue
            if settlement.outcome is Outcome.SYNCED:
                synced.append(transfer)
            ended[_outcome(settlement, errors.get(transfer.row_id), spared)] += 1
        for labels, number in ended.items():
            tally.count(ATTEMPTS, *labels, by=number)
        first = [t.claim.wanted for t in transfers if t.claim.wanted.attempt == 1]
        if first:
            waited = [(w.claimed_at - w.queued_at).total_seconds() for w in first]
            tally.observe(STAGE_SECONDS, waited, "delivered")
        if synced:
            self._count_synced(synced, now)

    def _count_synced(self, synced: Sequence[Transfer], now: float) -> None:
        written = [t for t in synced if t.fetched and not t.fetched.in_place]
        tally.count(BYTES, by=sum(t.fetched.size for t in written if t.fetched))
        tally.observe(STAGE_SECONDS, [t.ended_at - t.started_at for t in written], "downloaded")
        tally.observe(STAGE_SECONDS, [self._durable_at - t.ended_at for t in synced], "durable")
        placed, recorded = self._placed_at - self._durable_at, now - self._placed_at
        tally.observe(STAGE_SECONDS, [placed] * len(synced), "placed")
        tally.observe(STAGE_SECONDS, [recorded] * len(synced), "recorded")
        tally.observe(OBJECT_SECONDS, [_waited(t) + now - t.started_at for t in synced])


def _waited(transfer: Transfer) -> float:
    """Return the seconds from the request to the claim, by the database's clock."""
    wanted = transfer.claim.wanted
    return (wanted.claimed_at - wanted.queued_at).total_seconds()


def _outcome(
    settlement: Settlement, error: TransferError | None, spared: Collection[int]
) -> tuple[str, str]:
    """Return the labels of an attempt: outcome, and class of the reason."""
    outcome = settlement.outcome
    if outcome is Outcome.SYNCED:
        stored = settlement.fetched is not None and settlement.fetched.in_place
        return outcome.value, IN_PLACE if stored else "ok"
    if error is None:  # the ledger refused its values, or another version came first
        cause = RowRefused if outcome is Outcome.FAILED else ObjectChanged
        return outcome.value, reason_class(cause)
    is_spared = settlement.claim.wanted.row_id in spared
    return SPARED if is_spared else outcome.value, reason_class(type(error))
