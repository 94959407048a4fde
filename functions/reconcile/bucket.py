"""The first phase: the bucket, page by page, and what the ledger has in between.

AWS lists keys in the order of their bytes, and so do most stores. There, what the ledger has
between two keys is not in the bucket. A store with another order is found out at once: then the
names of the ledger are a phase of their own, and what is gone from the bucket is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from operator import lt

from functions.reconcile import recording
from functions.reconcile.comparison import (
    MATCHING,
    Judgement,
    Verdict,
    file_problem,
    is_folder_marker,
)
from functions.reconcile.comparison import refusal as refusal_of
from functions.reconcile.places import Places
from functions.reconcile.step import Position, Step, packed, unpacked
from shared.ledger.reconciling import Known, Stored
from shared.ledger.rows import State
from shared.ledger.runs import Finding, Run
from shared.sources.listing import ListedObject, Listing, Page

PHASE, NAMES, STORAGE = "bucket", "names", "storage"
"""The phases of a run; the second one is for a bucket that is not listed in order."""

MOST_ROWS = 2_500
"""Rows of the ledger that are read for one step: more than a page of the bucket has objects, which
have a few rows each at most."""

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
            if page.token is not None:
                self._listing.expect(prefix, page.token)  # on its way while this one is compared
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
            known, whole = self._places.ledger.reconciling.known_between(
                _bound(after),
                None if upto is None else _bound(upto),
                run.options["prefix"],
                MOST_ROWS,
            )
            # The ledger may have far more than the page: then only so much of the page is next.
            until = upto if whole else next(reversed(known))
            portion = [
                one
                for key, one in objects.items()
                if key > after and (until is None or key <= until)
            ]
            step = Step({"phase": PHASE, "after": packed(until)} if until else {"phase": STORAGE})
            self.compare(run, portion, step, known)
            others = {name: one for name, one in known.items() if name not in objects}
            gone(self._places, run, others, step)
            yield step
            if whole or until is None:
                return
            after = until

    def compare(
        self,
        run: Run,
        listed: Sequence[ListedObject],
        step: Step,
        known: Mapping[str, Known] | None = None,
    ) -> None:
        """Compare objects, and note in the step what was found; `known` as in `Places.judge`."""
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
        judged = self._places.judge(bucket, possible, run.begun_at, known)
        rest = [(one, judgement) for one, judgement in judged if judgement is not MATCHING]
        counts[Verdict.MATCHING] += len(judged) - len(rest)
        for one, judgement in rest:
            counts[judgement.verdict] += 1
            if judgement.verdict in REPORTED:
                step.findings.append(_finding(one, judgement))
        if run.options["enqueue"]:
            request_id = f"reconcile-{run.id}"
            recording.record(self._places.ledger.found_objects, bucket, request_id, rest, step)


def gone(places: Places, run: Run, known: Mapping[str, Known], step: Step) -> None:
    """Note in a step what the ledger has copied of names that the bucket has not any more.

    Nothing can be fetched again of it, so a file that is missing stays a finding.
    """
    if not known:
        return
    rows = _wrong_or_gone(places, known, run.begun_at)
    step.counts[Verdict.GONE] += len(rows)
    doubtful = [name for name, (_, problem) in rows.items() if problem]
    if doubtful:
        again = _wrong_or_gone(places, places.ledger.reconciling.known(doubtful), run.begun_at)
        for name, (stored, problem) in again.items():
            if problem:
                verdict, detail = problem
                step.counts[verdict] += 1
                text = "; ".join(filter(None, (detail, "the bucket has no such object any more")))
                step.findings.append(Finding(verdict.value, name, stored.row_id, detail=text))


def _wrong_or_gone(
    places: Places, known: Mapping[str, Known], begun: datetime
) -> dict[str, tuple[Stored, tuple[Verdict, str | None] | None]]:
    return {
        name: (one.stored, file_problem(one.stored, found))
        for name, (one, found) in places.look(known).items()
        if one.stored is not None
        and not one.queued
        and one.stored.state is State.SYNCED
        and one.stored.placed_at < begun
    }


def _follow(after: str, listed: Sequence[ListedObject]) -> bool:
    """Return whether keys are in the order of their bytes, which is that of code points."""
    keys = [after] if after else []
    keys += [one.key for one in listed]
    try:
        "".join(keys).encode()
    except UnicodeEncodeError:
        return False
    return all(map(lt, keys, islice(keys, 1, None)))


def _bound(key: str) -> str:
    """Return a key as a bound of the ledger's names, none of which has NUL."""
    return key.partition("\0")[0]


def _finding(listed: ListedObject, judgement: Judgement) -> Finding:
    row_id = judgement.stored.row_id if judgement.stored else None
    return Finding(
        judgement.verdict.value, listed.key, row_id, listed.size, listed.etag, judgement.detail
    )
