"""Reconciling: is the copy of the bucket complete?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from functions.reconcile.bucket import NAMES, PHASE, STORAGE, Bucket
from functions.reconcile.names import Names
from functions.reconcile.orphans import Orphans
from functions.reconcile.places import Places
from functions.reconcile.step import Position, Step
from shared.errors import TransferError
from shared.ledger.actions import Action
from shared.ledger.reconciling import is_whole, run_options
from shared.ledger.rows import storable
from shared.ledger.runs import Finding, Kind, Run, RunState
from shared.ledger.selection import Selection
from shared.sources.listing import Listing

logger = logging.getLogger(__name__)

ACTOR = "schedule"
"""Actor of the runs that no person asked for."""

AGAIN_AT_ONCE = 1_000
"""Rows of one action: the audit has one line for so many, and a run's position holds as many."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one call did.

    Attributes:
        listed: objects of the bucket that were compared.
        files: files of the storage that were looked at.
        findings: that were recorded.
        waiting: why the run cannot go on for now; empty if it can.
    """

    listed: int = 0
    files: int = 0
    findings: int = 0
    waiting: str = ""


class Reconcile:
    """Compares the bucket with the ledger and the storage.

    Args:
        places: ledger and storage.
        listing: returns the bucket's listing; called for a run alone. None where the source has
            nothing to list.
        days: after which the schedule begins a run; 0 for never.
        now: the time of day.
    """

    def __init__(
        self,
        places: Places,
        listing: Callable[[], Listing] | None,
        days: float = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._places = places
        self._ledger = places.ledger
        self._listing = listing
        self._days = days
        self._now = now

    def begin(self, actor: str, prefix: str = "", *, enqueue: bool = False) -> int | None:
        """Record a run, and return its id.

        Args:
            actor: who asks for it.
            prefix: see `run_options`.
            enqueue: see `run_options`.

        Returns:
            None if a run goes on already.
        """
        options = run_options(prefix, enqueue=enqueue)
        return self._ledger.runs.begin(Kind.RECONCILE, actor, options)

    def run(self, going: Callable[[], bool] = lambda: True) -> Report:
        """Begin the schedule's run if it is due, and go on with the run, if there is one.

        Args:
            going: asked after each step; False ends the call soon.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        if self._listing is None:
            return Report()
        if self._days:
            newest = self._ledger.runs.newest(1, Kind.RECONCILE)
            if not newest or newest[0].begun_at + timedelta(days=self._days) < self._now():
                self.begin(ACTOR)
        return self.go_on(going)

    def go_on(
        self,
        going: Callable[[], bool] = lambda: True,
    ) -> Report:
        """Go on with the run, unless another process is at it.

        A bucket or a storage that cannot be looked at makes it wait: the reason is kept with the
        run, and nothing is said of what was not seen.

        Args:
            going: as in `run`.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        run = self._ledger.runs.take(Kind.RECONCILE) if self._listing else None
        if run is None or self._listing is None:
            return Report()
        try:
            with closing(self._listing()) as listing:
                report = self._perform(run, listing, going)
        finally:
            self._ledger.runs.release(run.id)
        if report.waiting and report.waiting != run.error:  # the schedule tries it every minute
            logger.warning("comparison with the bucket waits", extra={"reason": report.waiting})
        return report

    def _perform(
        self,
        run: Run,
        listing: Listing,
        going: Callable[[], bool],
    ) -> Report:
        numbers: Counter[str] = Counter(run.numbers)
        before = Counter(numbers)
        findings = 0
        steps = self._steps(run, listing)
        while True:
            try:
                step = next(steps, None)
                again = [*(run.position or {}).get("again", ()), *(step.again if step else ())]
                if len(again) >= AGAIN_AT_ONCE or step is None:
                    numbers["fetched_again"] += self._fetch_again(again, run.actor)
                    again = []
            except TransferError as error:
                self._ledger.runs.save(run.id, run.position, numbers, error=str(error))
                return _report(numbers - before, findings, str(error))
            if step is None:
                self._finish(run, numbers)
                return _report(numbers - before, findings)
            if step.anew:
                self._ledger.reconciling.forget_findings(run.id)
                numbers.clear()
            numbers += step.counts
            position = {**step.position, "again": again}
            if not self._ledger.runs.save(run.id, position, numbers, _unique(step.findings)):
                return _report(numbers - before, findings)  # cancelled, or another process has it
            findings += len(step.findings)
            run = replace(run, position=position)
            if not going():
                return _report(numbers - before, findings)

    def _steps(self, run: Run, listing: Listing) -> Iterator[Step]:
        position: Position = run.position or {"phase": PHASE}
        if position["phase"] == PHASE:
            for step in Bucket(self._places, listing).steps(run, position):
                position = step.position
                yield step
        if position["phase"] == NAMES:
            yield from Names(self._places, listing).steps(run, position)
            position = {"phase": STORAGE}
        yield from Orphans(self._places).steps(run, position)

    def _fetch_again(self, row_ids: list[int], actor: str) -> int:
        if not row_ids:
            return 0
        selection = Selection(ids=tuple(row_ids))
        return self._ledger.actions.perform(Action.FETCH_AGAIN, selection, actor).objects

    def _finish(self, run: Run, numbers: Counter[str]) -> None:
        position = {**run.position, "again": []}
        if not self._ledger.runs.save(run.id, position, numbers):
            return
        self._ledger.runs.end(run.id, RunState.FINISHED)
        level = logging.INFO if is_whole(numbers) else logging.WARNING
        logger.log(level, "bucket compared", extra={"run_id": run.id, **numbers})


def _unique(findings: list[Finding]) -> list[Finding]:
    """Return findings of different names, as the ledger keeps them: some are shown escaped."""
    return list({(one.finding, storable(one.file_name)): one for one in findings}.values())


def _report(numbers: Counter[str], findings: int, waiting: str = "") -> Report:
    return Report(numbers["listed"], numbers["files"], findings, waiting)
