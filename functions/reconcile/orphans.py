"""The last phase: files of the storage that neither the ledger nor the bucket has the name of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from functions.reconcile.bucket import STORAGE
from functions.reconcile.comparison import Verdict
from functions.reconcile.places import Places
from functions.reconcile.step import Position, Step, packed, unpacked
from shared.ledger.runs import Finding, Run
from shared.storage.inventory import NOTHING

FILES = 5_000
"""Files that are looked at in one step: some 2 MB of names, and 50 ms."""

LISTED = (Verdict.MISSED.value, Verdict.REFUSED.value)
"""Findings of objects that the bucket has and the ledger has not."""


class Orphans:
    """Walks the storage.

    A file is an orphan if the ledger has no object of its name, in whatever state, and the bucket
    has none either. Unfinished files never are.

    Args:
        places: ledger and storage.
    """

    def __init__(self, places: Places) -> None:
        self._places = places

    def steps(self, run: Run, position: Position) -> Iterator[Step]:
        """Yield the steps from a position on.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
            TransferError: the storage cannot be looked at.
        """
        after = unpacked(position.get("after", ""))
        self._places.check_storage()
        walk = self._places.inventory.walk(after, run.options["prefix"])
        while names := list(islice(walk, FILES)):
            step = Step({"phase": STORAGE, "after": packed(names[-1])})
            step.counts["files"] += len(names)
            for finding in self._orphans(run, names):
                step.counts[Verdict.ORPHANED] += 1
                step.findings.append(finding)
            yield step

    def _orphans(self, run: Run, names: Sequence[str]) -> Iterator[Finding]:
        unknown = self._unknown(names)
        listed = self._places.ledger.reconciling.with_finding(run.id, LISTED, unknown)
        suspects = [name for name in unknown if name not in listed]
        # A file may have been renamed, removed, or recorded since.
        suspects = self._unknown(suspects)
        found = self._places.inventory.find([name for name in suspects if _plain(name)])
        for name in suspects:
            there = found.get(name)
            if there != NOTHING:
                size = there.size if there else None
                detail = there.detail if there else "its name is no valid UTF-8"
                yield Finding(Verdict.ORPHANED.value, name, size=size, detail=detail or None)

    def _unknown(self, names: Sequence[str]) -> list[str]:
        plain = [name for name in names if _plain(name)]
        unknown = self._places.ledger.reconciling.unknown(plain)
        if not unknown and len(plain) == len(names):
            return []
        return [name for name in names if name in unknown or not _plain(name)]


def _plain(name: str) -> bool:
    """Return whether a file's name is valid Unicode, as the ledger's are."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
