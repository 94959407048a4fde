"""Stored files read again because a person asks for it, until they are done or Ctrl-C.

What is asked for is recorded in the ledger first. The scheduler does what is left, and so does the
same command typed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice

from functions.scrub.service import FETCHED_AGAIN, Report, Scrub
from local.shutdown import StopFlag
from shared.errors import ServiceError
from shared.ledger.actions import Action, Performed
from shared.ledger.ledger import Ledger
from shared.ledger.runs import Kind, Run, RunState
from shared.ledger.selection import Selection
from shared.ledger.verifications import WHOLE, Part

OTHERS_SECONDS = 0.5
"""Seconds between looks at a run that another process works at."""

IDS = 10_000
"""Objects in one action, where they are named by their ids."""


class AnotherRun(ServiceError):
    """Files are being verified already, in another way."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is not as recorded.

    Attributes:
        row_id: the object.
        file_name: its name.
        finding: damaged, missing, unreadable or unchecked.
    """

    row_id: int | None
    file_name: str
    finding: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found so far.

    Attributes:
        finished: whether nothing of what was asked for is left.
        results: files by what was found.
        fetched_again: damaged and missing ones that are queued to be fetched again.
        problems: yields them; may be read once.
    """

    finished: bool
    results: Mapping[str, int]
    fetched_again: int
    problems: Iterator[Problem]

    @property
    def number(self) -> int:
        """Return how many files are not as recorded."""
        return sum(n for name, n in self.results.items() if name not in {"ok", "replaced"})


class Work:
    """The work of `./sync verify`.

    Args:
        ledger: what is recorded.
        scrub: reads the files.
        actor: who asks, for the audit.
        stop: ends it soon; what is left stays recorded.
    """

    def __init__(self, ledger: Ledger, scrub: Scrub, actor: str, stop: StopFlag) -> None:
        self._ledger = ledger
        self._scrub = scrub
        self._actor = actor
        self._stop = stop

    def ask(self, selection: Selection) -> Performed:
        """Record that the files of a filter are to be verified."""
        return self._ledger.actions.perform(
            Action.VERIFY, selection, self._actor, going=self._going
        )

    def answer(
        self,
        asked: Performed,
        advance: Callable[[int], None],
        *,
        bytes_per_second: int | None,
        fetch_again: bool,
    ) -> Outcome:
        """Verify what was asked for, and return what was found.

        Args:
            asked: the action.
            advance: called with the number of files read since the last call.
            bytes_per_second: the most to read, None for no limit.
            fetch_again: queue what is not as recorded to be fetched again.
        """
        before = 0

        def note(report: Report) -> None:
            nonlocal before
            advance(report.checked - before)
            before = report.checked

        self._scrub.verify_requested(self._going, note, bytes_per_second)
        verifications = self._ledger.verifications
        counts = verifications.of_action(asked.id)
        results = {result.value: number for result, number in counts.items() if result}
        problems = [Problem(*found) for found in verifications.problems_of_action(asked.id)]
        fetched = self._fetch_again(problems) if fetch_again else 0
        left = None in counts or asked.finished_at is None
        return Outcome(not left, results, fetched, iter(problems))

    def begin(self, part: Part, *, bytes_per_second: int | None, fetch_again: bool) -> Run:
        """Record a run over all files, or return the same one if it goes on already.

        Raises:
            AnotherRun: one goes on with other options.
        """
        run_id = self._scrub.begin(
            self._actor, part, bytes_per_second=bytes_per_second, fetch_again=fetch_again
        )
        if run_id is not None:
            return self._ledger.runs.get(run_id)
        (run,) = self._ledger.runs.newest(1, Kind.SCRUB)
        wanted = {
            "part": asdict(part),
            "bytes_per_second": bytes_per_second,
            "fetch_again": fetch_again,
        }
        if wanted.items() <= run.options.items():
            return run
        raise AnotherRun(
            f"run {run.id}, begun by {run.actor}: see ./sync verify --status, or end it by"
            " ./sync verify --cancel"
        )

    def follow(self, run: Run, advance: Callable[[int], None]) -> Outcome:
        """Go on with a run until it has ended, or watch another process do so.

        Args:
            run: the run.
            advance: called with the number of files read since the last call.
        """
        before = run.numbers.get("checked", 0)

        def note(now: Run) -> None:
            nonlocal before
            advance(now.numbers.get("checked", 0) - before)
            before = now.numbers.get("checked", 0)

        while True:
            self._scrub.go_on(self._going, note)
            run = self._ledger.runs.get(run.id)
            note(run)
            if run.state is not RunState.RUNNING or self._stop.wait(OTHERS_SECONDS):
                break
        results = {
            name: number
            for name, number in run.numbers.items()
            if name not in {"checked", "bytes", FETCHED_AGAIN}
        }
        findings = self._ledger.runs.findings(run.id)
        return Outcome(
            run.state is RunState.FINISHED,
            results,
            run.numbers.get(FETCHED_AGAIN, 0),
            (Problem(found.row_id, found.file_name, found.finding) for found in findings),
        )

    def expected(self, part: Part) -> int:
        """Return about how many files a part has."""
        stored = self._ledger.counts().synced
        return stored * part.millionths // WHOLE if part.number is None else stored // part.of

    def _going(self) -> bool:
        return not self._stop.is_set()

    def _fetch_again(self, problems: Iterable[Problem]) -> int:
        ids = (problem.row_id for problem in problems if problem.row_id is not None)
        number = 0
        while portion := tuple(islice(ids, IDS)):
            performed = self._ledger.actions.perform(
                Action.FETCH_AGAIN, Selection(ids=portion), self._actor
            )
            number += performed.objects
        return number
