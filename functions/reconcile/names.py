"""The second phase, for a bucket that is not listed in order: all names that the ledger has."""

from __future__ import annotations

from collections.abc import Iterator

from functions.reconcile.bucket import MOST_ROWS, NAMES, gone
from functions.reconcile.comparison import Verdict
from functions.reconcile.places import Places
from functions.reconcile.step import Position, Step, packed, unpacked
from shared.ledger.runs import Run
from shared.sources.listing import Listing


class Names:
    """Looks for the files of the names that the bucket's listing has not shown.

    Args:
        places: ledger and storage.
        listing: the bucket.
    """

    def __init__(self, places: Places, listing: Listing) -> None:
        self._places = places
        self._listing = listing

    def steps(self, run: Run, position: Position) -> Iterator[Step]:
        """Yield the steps from a position on.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
            TransferError: the bucket or the storage cannot be looked at.
        """
        after = unpacked(position.get("after", ""))
        prefix = run.options["prefix"]
        whole = False
        while not whole:
            known, whole = self._places.ledger.reconciling.known_between(
                after, None, prefix, MOST_ROWS
            )
            if not known:
                return
            after = next(reversed(known))
            step = Step({"phase": NAMES, "after": packed(after)})
            gone(self._places, run, known, step)
            # Those that the bucket has were reported when it was listed; few files are missing.
            listed = {f.file_name for f in step.findings if self._listing.has(f.file_name)}
            for finding in step.findings:
                if finding.file_name in listed:
                    step.counts[finding.finding] -= 1
            step.findings = [f for f in step.findings if f.file_name not in listed]
            del step.counts[Verdict.GONE]  # it cannot be told
            yield step
