"""The first phase: the bucket, page by page, and what the ledger has in between.

AWS lists keys in the order of their bytes, and so do most stores. There, what the ledger has
between two keys is not in the bucket. A store with another order is found out at once: then the
names of the ledger are a phase of their own, and what is gone from the bucket is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from functions.reconcile import recording
from functions.reconcile.comparison import Judgement, Verdict, file_problem, is_folder_marker
from functions.reconcile.comparison import refusal as refusal_of
from functions.reconcile.places import Places
from functions.reconcile.step import Position, Step, packed, unpacked
from shared.ledger.reconciling import Stored
from shared.ledger.rows import State
from shared.ledger.runs import Finding, Run
from shared.sources.listing import ListedObject, Listing, Page

PHASE, NAMES, STORAGE = "bucket", "names", "storage"
"""The phases of a run; the second one is for a bucket that is not listed in order."""

MOST_NAMES = 1_000
"""Names of the ledger that are looked at in one step."""

REPORTED = frozenset({Verdict.MISSED, Verdict.MISSING, Verdict.DIFFERENT})
"""Verdicts that become findings; others are counted."""


class Bucket:
    """Compares the bucket.

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
        prefix = run.options["prefix"]
        ordered = position.get("ordered", True)
        token: str | None = position.get("token")
        after = unpacked(position.get("after", ""))
        while True:
            page = self._listing.page(prefix, token, after if ordered and after else None)
            if ordered and not _follow(after, page.objects):
                ordered, after, token = False, "", None
                yield Step({"phase": PHASE, "ordered": False}, anew=True)
                continue
            if ordered:
                yield from self._merged(run, after, page)
            else:
                position = {"phase": PHASE, "ordered": False, "token": page.token}
                step = Step(position if page.token else {"phase": NAMES})
                self.compare(run, page.objects, step)
                yield step
            token = page.token
            if token is None:
                return
            after = page.objects[-1].key if page.objects else after

    def _merged(self, run: Run, after: str, page: Page) -> Iterator[Step]:
        """Yield the steps of a page: its objects, and what the ledger has in between."""
        objects = {listed.key: listed for listed in page.objects}
        upto = None if page.token is None else max(objects, default=after)
        while True:
            names = self._places.ledger.reconciling.names_between(
                _bound(after),
                None if upto is None else _bound(upto),
                run.options["prefix"],
                MOST_NAMES,
            )
            whole = len(names) < MOST_NAMES
            # The ledger may have far more than the page: then only so much of the page is next.
            until = upto if whole else names[-1]
            portion = [
                one
                for key, one in objects.items()
                if key > after and (until is None or key <= until)
            ]
            step = Step({"phase": PHASE, "after": packed(until)} if until else {"phase": STORAGE})
            self.compare(run, portion, step)
            gone(self._places, run, [name for name in names if name not in objects], step)
            yield step
            if whole:
                return
            after = names[-1]

    def compare(self, run: Run, listed: Sequence[ListedObject], step: Step) -> None:
        """Compare objects, and note in the step what was found."""
        counts = step.counts
        counts["listed"] += len(listed)
        counts["bytes"] += sum(one.size for one in listed)
        possible = []
        for one in listed:
            refusal = refusal_of(one)
            if refusal is None:
                possible.append(one)
                continue
            counts[Verdict.REFUSED] += 1
            counts["folders"] += is_folder_marker(one)
            step.findings.append(_finding(one, Judgement(Verdict.REFUSED, refusal)))
        bucket = self._listing.bucket
        judged = self._places.judge(bucket, possible, run.begun_at)
        for one, judgement in judged:
            counts[judgement.verdict] += 1
            if judgement.verdict in REPORTED:
                step.findings.append(_finding(one, judgement))
        if run.options["enqueue"]:
            request_id = f"reconcile-{run.id}"
            recording.record(self._places.ledger.found_objects, bucket, request_id, judged, step)


def gone(places: Places, run: Run, names: Sequence[str], step: Step) -> None:
    """Note in a step what the ledger has copied of names that the bucket has not any more.

    Nothing can be fetched again of it, so a file that is missing stays a finding.
    """
    if not names:
        return
    rows = _wrong_or_gone(places, names, run.begun_at)
    step.counts[Verdict.GONE] += len(rows)
    doubtful = [name for name, (_, problem) in rows.items() if problem]
    if doubtful:
        again = _wrong_or_gone(places, doubtful, run.begun_at)
        for name, (stored, problem) in again.items():
            if problem:
                verdict, detail = problem
                step.counts[verdict] += 1
                text = "; ".join(filter(None, (detail, "the bucket has no such object any more")))
                step.findings.append(Finding(verdict.value, name, stored.row_id, detail=text))


def _wrong_or_gone(
    places: Places, names: Sequence[str], begun: datetime
) -> dict[str, tuple[Stored, tuple[Verdict, str | None] | None]]:
    return {
        name: (known.stored, file_problem(known.stored, found))
        for name, (known, found) in places.look(names).items()
        if known.stored is not None
        and not known.queued
        and known.stored.state is State.SYNCED
        and known.stored.placed_at < begun
    }


def _follow(after: str, listed: Sequence[ListedObject]) -> bool:
    """Return whether keys are in the order of their bytes, which is that of code points."""
    keys = [after, *(one.key for one in listed)] if after else [one.key for one in listed]
    try:
        "".join(keys).encode()
    except UnicodeEncodeError:
        return False
    return all(one < other for one, other in pairwise(keys))


def _bound(key: str) -> str:
    """Return a key as a bound of the ledger's names, none of which has NUL."""
    return key.partition("\0")[0]


def _finding(listed: ListedObject, judgement: Judgement) -> Finding:
    row_id = judgement.stored.row_id if judgement.stored else None
    return Finding(
        judgement.verdict.value, listed.key, row_id, listed.size, listed.etag, judgement.detail
    )
