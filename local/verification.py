"""Stored files read again because a person asks for it, until it is done or Ctrl-C.

What is asked for is recorded in the ledger first, then the function is called in this process. What
is left after Ctrl-C the schedule does, or the same command typed again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from local.context import EndingContext
from local.handlers import imported, prepare
from local.shutdown import StopFlag
from shared import log
from shared.errors import ServiceError
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.objects import Objects
from shared.ledger.runs import Kind, Run, RunState
from shared.ledger.selection import PROBLEMS, Selection
from shared.ledger.verifications import WHOLE, Part, run_options

FUNCTION = "functions.scrub.handler.handler"
LONG_SECONDS = 366 * 86_400.0
"""As long as it takes: a person may end it."""

OTHERS_SECONDS = 0.5
"""Seconds between looks at a run that another process works at."""

IDS = 10_000
"""Objects in one action, where they are named by their ids."""

SCHEDULE = "schedule"
"""Actor of the runs that no person asked for."""

UNCHECKED = "unchecked"
"""Number and finding of a run: the function had no time to read the file."""


class RunGoesOn(ServiceError):
    """Files are being verified already."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found so far.

    Attributes:
        finished: whether nothing of what was asked for is left.
        results: files by what was found.
        fetched_again: objects that are queued to be fetched again.
        findings: yields id, file name and result of what is not as recorded; may be read once.
    """

    finished: bool
    results: Mapping[str, int]
    fetched_again: int
    findings: Iterator[tuple[int | None, str, str]]

    @property
    def problems(self) -> int:
        """How many files are not as recorded, or could not be read."""
        return sum(self.results.get(name, 0) for name in (*PROBLEMS, UNCHECKED))


class Verifying:
    """The work of `./sync verify`.

    Args:
        ledger: what is recorded.
        objects: likewise.
        actor: who asks, for the audit.
        storage: the folder of the files, unless a setting names it.
        stop: ends the work soon.
    """

    def __init__(
        self, ledger: Ledger, objects: Objects, actor: str, storage: Path, stop: StopFlag
    ) -> None:
        self._ledger = ledger
        self._objects = objects
        self._actor = actor
        self._stop = stop
        os.environ.setdefault("STORAGE_PATH", str(storage))
        prepare(FUNCTION)
        log.configure("CRITICAL")  # what is found is the command's to print

    def requested(
        self, action_id: int, *, bytes_per_second: int | None, fetch_again: bool
    ) -> Found:
        """Read the files that an action asked for.

        Args:
            action_id: the action.
            bytes_per_second: the most to read, None for no limit.
            fetch_again: queue what is not as recorded to be fetched again.
        """
        self._call({"only": "requested", "bytes_per_second": bytes_per_second})
        left = self._stop.is_set() and self._ledger.verifications.waiting()
        results = self._objects.verified_by(action_id)
        problems = list(self._objects.problems_of(action_id))
        fetched = self._fetch_again([row_id for row_id, _, _ in problems]) if fetch_again else 0
        return Found(not left, results, fetched, iter(problems))

    def follow(self, run_id: int) -> Found:
        """Go on with a run until it has ended, or watch another process do so."""
        while True:
            self._call({"only": "run"})
            run = self._ledger.runs.get(run_id)
            if run.state is not RunState.RUNNING or self._stop.wait(OTHERS_SECONDS):
                break
        findings = (
            (found.row_id, found.file_name, found.finding)
            for found in self._ledger.runs.findings(run_id)
        )
        fetched = run.numbers.get("fetched_again", 0)
        return Found(run.state is RunState.FINISHED, results_of(run), fetched, findings)

    def _call(self, event: dict[str, Any]) -> None:
        imported(FUNCTION)(event, EndingContext(LONG_SECONDS, self._stop.is_set))

    def _fetch_again(self, row_ids: Iterable[int]) -> int:
        ids = iter(row_ids)
        number = 0
        while portion := tuple(islice(ids, IDS)):
            performed = self._ledger.actions.perform(
                Action.FETCH_AGAIN, Selection(ids=portion), self._actor
            )
            number += performed.objects
        return number


def begin(
    ledger: Ledger, actor: str, part: Part, *, bytes_per_second: int | None, fetch_again: bool
) -> Run:
    """Record a run, in place of the schedule's; return the one that goes on if it is the same.

    Args:
        ledger: where.
        actor: who asks for it.
        part: which of the files.
        bytes_per_second: the most to read, None for no limit.
        fetch_again: queue what is not as recorded to be fetched again.

    Raises:
        RunGoesOn: it is another one of a person.
    """
    options = run_options(
        ledger.verifications.last_row(),
        part,
        bytes_per_second=bytes_per_second,
        fetch_again=fetch_again,
    )
    while (run_id := ledger.runs.begin(Kind.SCRUB, actor, options)) is None:
        (newest,) = ledger.runs.newest(1, Kind.SCRUB)
        if newest.state is not RunState.RUNNING:
            continue
        if newest.actor == SCHEDULE:
            ledger.runs.end(newest.id, RunState.CANCELLED)
        elif {**newest.options, "last_id": options["last_id"]} == options:
            return newest
        else:
            raise RunGoesOn(
                f"run {newest.id}, begun by {newest.actor}, is still running;"
                " ./sync verify --cancel cancels it"
            )
    return ledger.runs.get(run_id)


def cancel(ledger: Ledger) -> tuple[list[int], int]:
    """End the run of a person, and withdraw what people asked for.

    The schedule's run is left alone: SCRUB_DAYS says whether there is one.

    Returns:
        The ids of the runs that were ended, and the number of files that are not read any more.
    """
    ended = [
        run.id
        for run in ledger.runs.newest(1, Kind.SCRUB)
        if run.actor != SCHEDULE and ledger.runs.end(run.id, RunState.CANCELLED)
    ]
    return ended, ledger.verifications.withdraw()


def expected(ledger: Ledger, part: Part) -> int:
    """Return about how many files a part has."""
    stored = ledger.counts().synced
    return stored * part.millionths // WHOLE if part.number is None else stored // part.of


def results_of(run: Run) -> dict[str, int]:
    """Return the numbers of a run that are files by what was found."""
    others = {"checked", "bytes", "fetched_again"}
    return {name: number for name, number in run.numbers.items() if name not in others}
