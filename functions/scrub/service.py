"""Scrubbing: do the stored files still match the ledger?"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from functions.scrub.checking import Checker
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.runs import Finding, Kind, Run, RunState
from shared.ledger.selection import PROBLEMS, Selection, Verification
from shared.ledger.verifications import Part, Recorded, run_options

logger = logging.getLogger(__name__)

SLICE_FILES = 256
"""Files after which a run's position is recorded."""

UNCHECKED = "unchecked"
"""Finding: reading the file takes longer than the platform lets a call run."""

LONG_SECONDS = 300.0
"""A file that a call read for this long without reaching its end is skipped, not retried."""

REQUESTED, RUN = "requested", "run"
"""A call can be limited to the files that people requested, or to the run in progress."""

MOST_RUNS = 100
"""Newest runs among which the schedule's last one is searched."""

ACTOR = "schedule"
"""Actor of the runs that the schedule began."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one call did.

    Attributes:
        checked: files that were read again.
        problems: how many of them are damaged, missing or unreadable.
    """

    checked: int
    problems: int


class Scrub:
    """Verifies the files that people requested, then continues the run, if there is one.

    Args:
        ledger: what is recorded.
        checker: reads the files.
        days: within which the schedule reads every file once; 0 for never.
        now: returns the current time (aware).
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        checker: Checker,
        days: float = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._checker = checker
        self._days = days
        self._now = now
        self._clock = clock

    def run(self, going: Callable[[], bool] = lambda: True, only: str | None = None) -> Report:
        """Verify the requested files, then those of the run that are due.

        Args:
            going: called before and while each file is read; False ends the call soon.
            only: `REQUESTED` or `RUN` to do one of the two.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
            TransferError: this is not the right storage, or it cannot be read at all.
        """
        if only == RUN:
            return self.go_on(going)
        requested = self.verify_requested(going)
        if only == REQUESTED:
            return requested
        self._begin_scheduled()
        continued = self.go_on(going)
        return Report(
            requested.checked + continued.checked, requested.problems + continued.problems
        )

    def begin(
        self,
        actor: str,
        part: Part,
        *,
        bytes_per_second: int | None = None,
        seconds: float | None = None,
        fetch_again: bool = False,
        after_id: int = 0,
    ) -> int | None:
        """Record a run over the files that are recorded now, and return its id.

        Args:
            actor: who begins it.
            part: which of the files.
            bytes_per_second: the most to read, None for no limit.
            seconds: time over which the run is spread, None to read without a pause.
            fetch_again: queue what is damaged or missing to be fetched again.
            after_id: only greater ids.

        Returns:
            None if a run is in progress already.
        """
        options = run_options(
            self._ledger.verifications.last_row(),
            part,
            after_id=after_id,
            bytes_per_second=bytes_per_second,
            seconds=seconds,
            fetch_again=fetch_again,
        )
        return self._ledger.runs.begin(Kind.SCRUB, actor, options)

    def verify_requested(
        self,
        going: Callable[[], bool] = lambda: True,
        progress: Callable[[Report], None] = lambda _: None,
    ) -> Report:
        """Verify the files that people requested, in the order of the requests.

        Args:
            going: as in `run`.
            progress: called after each slice with the report so far.
        """
        total = Report(0, 0)
        while going() and (recorded := self._ledger.verifications.requested(SLICE_FILES)):
            results = self._verify(recorded, going)
            late = {record.row_id for record in recorded} - results.keys()
            # Files for which there was no time go to the end of the line.
            self._ledger.verifications.postpone(late)
            problems = sum(result in PROBLEMS for result in results.values())
            total = Report(total.checked + len(results), total.problems + problems)
            progress(total)
        return total

    def go_on(
        self,
        going: Callable[[], bool] = lambda: True,
        progress: Callable[[Run], None] = lambda _: None,
    ) -> Report:
        """Continue the run, unless another process holds it.

        Args:
            going: as in `run`.
            progress: called with the run before each slice, and when it has ended.
        """
        total = Report(0, 0)
        run = self._ledger.runs.take(Kind.SCRUB)
        while run is not None and going() and self._is_due(run):
            progress(run)
            before = run.numbers
            run = self._slice(run, going)
            total = Report(
                total.checked + run.numbers.get("checked", 0) - before.get("checked", 0),
                total.problems + _problems(run.numbers) - _problems(before),
            )
            if run.state is not RunState.RUNNING:
                progress(run)
                return total
        if run is not None:
            self._ledger.runs.release(run.id)
        return total

    def _begin_scheduled(self) -> None:
        """Begin the schedule's next run if it is due, or resume one that a person's replaced."""
        if not self._days:
            return
        period = timedelta(days=self._days)
        newest = self._ledger.runs.newest(MOST_RUNS, Kind.SCRUB)
        last = next((run for run in newest if run.actor == ACTOR), None)
        if last is None or last.begun_at + period < self._now():
            self.begin(ACTOR, Part(), seconds=period.total_seconds())
        elif last.state is RunState.CANCELLED and newest[0].state is not RunState.RUNNING:
            reached = last.position or last.options["after_id"]
            left = 1 - reached / max(last.options["last_id"], 1)
            self.begin(ACTOR, Part(), seconds=period.total_seconds() * left, after_id=reached)

    def _is_due(self, run: Run) -> bool:
        """Return whether the next slice of a run that is spread over time is due."""
        seconds = run.options["seconds"]
        if seconds is None or run.position is None:
            return True
        share = (self._now() - run.begun_at).total_seconds() / seconds
        first, last = run.options["after_id"], run.options["last_id"]
        return bool(run.position <= first + (last - first) * share)

    def _slice(self, run: Run, going: Callable[[], bool]) -> Run:
        options = run.options
        recorded = self._ledger.verifications.stored(
            run.position or options["after_id"],
            options["last_id"],
            SLICE_FILES,
            Part(**options["part"]),
            run.id,
        )
        if not recorded:
            self._ledger.runs.end(run.id, RunState.FINISHED)
            return self._ledger.runs.get(run.id)
        numbers = Counter(run.numbers)
        begun = self._clock()
        results = self._verify(
            recorded,
            going,
            lambda: self._ledger.runs.save(run.id, run.position, run.numbers),
            options["bytes_per_second"],
        )
        findings = []
        position = run.position
        for number, record in enumerate(recorded):
            result = results.get(record.row_id)
            if result is None and not going():
                if number or self._clock() - begun < LONG_SECONDS:
                    break
                findings.append(_finding(record, UNCHECKED))
                numbers[UNCHECKED] += 1
            elif result is not None:
                numbers["checked"] += 1
                numbers["bytes"] += record.size
                numbers[result.value] += 1
                if result in PROBLEMS:
                    findings.append(_finding(record, result.value))
            position = record.row_id
        if options["fetch_again"]:
            self._fetch_again(results, run.actor)
        saved = replace(run, position=position, numbers=numbers)
        if not self._ledger.runs.save(run.id, position, numbers, findings):
            return self._ledger.runs.get(run.id)  # cancelled, or another process has taken it
        return saved

    def _verify(
        self,
        recorded: Sequence[Recorded],
        going: Callable[[], bool],
        meanwhile: Callable[[], object] = lambda: None,
        bytes_per_second: int | None = None,
    ) -> Mapping[int, Verification]:
        """Verify files and record the results; return the recorded results by row id."""
        found = self._checker.check(recorded, going, meanwhile, bytes_per_second)
        results = self._ledger.verifications.record(found) if found else {}
        for record, _ in found:
            if (result := results.get(record.row_id)) in PROBLEMS:
                logger.error(
                    "stored file is not as recorded",
                    extra={
                        "row_id": record.row_id,
                        "file_name": record.file_name,
                        "result": result.value if result else None,
                    },
                )
        return results

    def _fetch_again(self, results: Mapping[int, Verification], actor: str) -> None:
        ids = tuple(row_id for row_id, result in results.items() if result in PROBLEMS)
        if ids:
            self._ledger.actions.perform(Action.FETCH_AGAIN, Selection(ids=ids), actor)


def _problems(numbers: Mapping[str, int]) -> int:
    return sum(numbers.get(problem.value, 0) for problem in PROBLEMS)


def _finding(record: Recorded, finding: str) -> Finding:
    return Finding(finding, record.file_name, record.row_id, record.size)
