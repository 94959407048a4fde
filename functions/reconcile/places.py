"""The ledger and the storage beside each other, for a portion of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from functions.reconcile.comparison import (
    DOUBTFUL,
    MATCHING,
    Judgement,
    Remedy,
    Verdict,
    judge,
)
from functions.reconcile.recording import key_of
from shared.ledger.ledger import Ledger
from shared.ledger.reconciling import Known
from shared.sources.listing import ListedObject
from shared.storage.inventory import NOTHING, FileFound, Inventory

Looked = dict[str, tuple[Known, FileFound]]
"""What ledger and storage have of each name that the ledger knows."""


class OwnedStorage(Protocol):
    """What tells a storage from an empty mount point."""

    def check_owner(self) -> None:
        """Raise a `TransferError` unless the storage is this installation's."""
        ...


class Places:
    """Looks at ledger and storage, twice where something seems to be wrong.

    Between the first look at a file and at its row, a worker may have replaced both.

    Args:
        ledger: what is recorded.
        inventory: what files there are.
        storage: tells whether it is the right one.
        now: the time of day.
    """

    def __init__(
        self,
        ledger: Ledger,
        inventory: Inventory,
        storage: OwnedStorage,
        now: Callable[[], datetime],
    ) -> None:
        self.ledger = ledger
        self.inventory = inventory
        self._storage = storage
        self._now = now

    def judge(
        self,
        bucket: str,
        listed: Sequence[ListedObject],
        begun: datetime,
        known: Mapping[str, Known] | None = None,
    ) -> list[tuple[ListedObject, Judgement]]:
        """Compare objects of the bucket.

        Args:
            bucket: its name.
            listed: objects whose keys can be file names.
            begun: when the run began, by the ledger's clock.
            known: what the ledger has of all that is listed, None where it has to be asked.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
            TransferError: files are missing because the storage is, or cannot be looked at.
        """
        if known is None:
            first = self._judge_anew(listed, begun)
        else:
            first = self._judge(listed, begun, known)
        doubtful = [one for one in listed if first[one.key].verdict in DOUBTFUL]
        second = first | self._judge_anew(doubtful, begun) if doubtful else first
        self._accept_known_versions(bucket, doubtful, second)
        return [(one, second[one.key]) for one in listed]

    def look(self, known: Mapping[str, Known]) -> Looked:
        """Return what the storage has of names, beside what the ledger has.

        Args:
            known: what the ledger has; asked before the storage is looked at.

        Raises:
            LedgerUnavailable, TransferError: as `judge`.
        """
        self._storage.check_owner()
        found = self.inventory.find([name for name, one in known.items() if one.stored])
        # Asked after the look: what is missing is not missing from an empty mount point.
        self._storage.check_owner()
        return {name: (one, found.get(name, NOTHING)) for name, one in known.items()}

    def check_storage(self) -> None:
        """Make sure that this is the right storage, and no empty mount point.

        Raises:
            LedgerUnavailable, TransferError: as `judge`.
        """
        self._storage.check_owner()

    def _judge_anew(self, listed: Sequence[ListedObject], begun: datetime) -> dict[str, Judgement]:
        known = self.ledger.reconciling.known([one.key for one in listed])
        return self._judge(listed, begun, known)

    def _judge(
        self, listed: Sequence[ListedObject], begun: datetime, known: Mapping[str, Known]
    ) -> dict[str, Judgement]:
        there = self.look({one.key: known[one.key] for one in listed if one.key in known})
        now = self._now()
        judged = {}
        for one in listed:
            what, found = there.get(one.key, (None, NOTHING))
            judged[one.key] = judge(one, what, found, begun, now)
        return judged

    def _accept_known_versions(
        self, bucket: str, listed: Sequence[ListedObject], judged: dict[str, Judgement]
    ) -> None:
        """Take a copy for right that was made of this very version in the listing.

        A store may list another ETag than it sends with the object; then every run would find a
        difference.
        """
        others = {
            key_of(bucket, one): one.key
            for one in listed
            if judged[one.key].verdict is Verdict.DIFFERENT
            and judged[one.key].remedy is Remedy.RECORD
        }
        for checksum, row_id in self.ledger.reconciling.recorded(others).items():
            stored = judged[others[checksum]].stored
            if stored is not None and stored.row_id == row_id:
                judged[others[checksum]] = MATCHING
