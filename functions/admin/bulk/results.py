"""What became of the objects of an action: counts, and lines with the problems first."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from functions.admin.objects.actions import Line
from functions.admin.records import FileRecord, Records
from shared.ledger.actions import Action, Performed
from shared.ledger.database import Database
from shared.ledger.ledger import Ledger
from shared.ledger.rows import State
from shared.ledger.selection import PROBLEMS, Verification

MOST_OBJECTS = 10_000
"""Objects of an action whose outcome is counted, so that the page comes at once."""

MOST_LINES = 100
"""Objects that are named."""


class Fate(enum.StrEnum):
    """How an object stands after an action."""

    PROBLEM = "problem"
    WAITING = "waiting"
    FINE = "fine"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many objects stand the same way.

    Attributes:
        word: such as "failed again".
        fate: whether that needs attention.
        objects: how many.
        query: the filter of the list that shows them, beside the action.
    """

    word: str
    fate: Fate
    objects: int
    query: str


@dataclass(frozen=True, slots=True)
class Result:
    """An action and what became of its objects.

    Attributes:
        performed: the action.
        title: in one sentence.
        asked: how many objects were named, None if a filter selected them.
        outcomes: by how the objects stand now, problems first.
        problems: some of the objects with a problem.
        others: some of the others.
        skipped: the named objects that it did not apply to.
        counted: over how many objects the outcomes are.
    """

    performed: Performed
    title: str
    asked: int | None
    outcomes: Sequence[Outcome]
    problems: Sequence[Line]
    others: Sequence[Line]
    skipped: Sequence[Line]
    counted: int

    @property
    def ok(self) -> bool:
        """Whether nothing needs attention."""
        return not self.problems and not self.skipped and not self.number(Fate.PROBLEM)

    @property
    def running(self) -> bool:
        """Whether it goes on, so that the page refreshes itself."""
        return self.performed.finished_at is None or bool(self.number(Fate.WAITING))

    def number(self, fate: Fate) -> int:
        """Return how many objects stand this way."""
        return sum(outcome.objects for outcome in self.outcomes if outcome.fate is fate)


class Results:
    """Reads what became of actions.

    Args:
        database: with the admin's queries.
        records: reads the named objects.
        ledger: reads actions.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database, records: Records, ledger: Ledger) -> None:
        self._database = database
        self._records = records
        self._ledger = ledger

    def of(self, action_id: int) -> Result:
        """Return what became of an action.

        Raises:
            LookupError: there is none with this id.
        """
        performed = self._ledger.actions.get(action_id)
        action, ids = performed.action, performed.selection.ids
        chosen = {"action_id": action_id, "ids": list(ids) if ids else None, "most": MOST_OBJECTS}
        counts: Counter[tuple[str, Fate, str]] = Counter()
        for row in self._database.run("action_outcomes", **chosen):
            counts[fate_of(action, State(row.state), row.result)] += row.objects
        order = list(Fate)
        outcomes = [
            Outcome(word, fate, objects, query)
            for (word, fate, query), objects in sorted(
                counts.items(), key=lambda item: (order.index(item[0][1]), -item[1])
            )
        ]
        problems: list[Line] = []
        others: list[Line] = []
        problem_results = [result.value for result in PROBLEMS]
        for row in self._database.run(
            "action_lines", **chosen, problems=problem_results, lines=MOST_LINES
        ):
            word, fate, _ = fate_of(action, State(row.state), row.result)
            message = f"{word}: {row.last_error}" if row.state == State.FAILED else word
            line = Line(row.id, row.file_name, fate is not Fate.PROBLEM, message)
            (problems if fate is Fate.PROBLEM else others).append(line)
        skipped = self._skipped(action, action_id, ids) if ids else []
        fine = sum(outcome.objects for outcome in outcomes if outcome.word == Verification.OK)
        return Result(
            performed=performed,
            title=title(performed, fine, len(ids) if ids else None, outcomes),
            asked=len(ids) if ids else None,
            outcomes=outcomes,
            problems=problems,
            others=others,
            skipped=skipped,
            counted=sum(counts.values()),
        )

    def _skipped(self, action: Action, action_id: int, ids: Sequence[int]) -> list[Line]:
        changed = self._ledger.actions.changed_by(action_id, ids)
        files = self._records.files([row_id for row_id in ids if row_id not in changed])
        return [
            Line(file.id, file.file_name, ok=False, message=_why_skipped(action, file))
            for file in files
        ]


def fate_of(action: Action, state: State, result: str | None) -> tuple[str, Fate, str]:
    """Return how an object stands after an action, in words, and the list's filter for it.

    ============  ==========  =========  ======================
    action        state       verified   stands
    ============  ==========  =========  ======================
    verify        any         (not yet)  waiting
    verify        any         ok         ok
    verify        any         damaged…   problem
    dismiss       dismissed              dismissed
    restore       failed                 failed: as was asked
    retry, fetch  synced                 synced
    retry, fetch  queued                 waiting
    retry, fetch  failed                 problem: failed again
    ============  ==========  =========  ======================
    """
    if action is Action.VERIFY:
        if result is None:
            return "waiting to be read", Fate.WAITING, ""
        fate = Fate.PROBLEM if result in set(PROBLEMS) else Fate.FINE
        return result, fate, f"verified={result}"
    query = f"state={state.value}"
    if action in {Action.DISMISS, Action.RESTORE}:
        return state.value, Fate.FINE, query
    match state:
        case State.FAILED:
            return "failed again", Fate.PROBLEM, query
        case State.QUEUED:
            return "queued", Fate.WAITING, query
    return state.value, Fate.FINE, query


def title(performed: Performed, fine: int, asked: int | None, outcomes: Sequence[Outcome]) -> str:
    """Return what an action did, in one sentence.

    Args:
        performed: the action.
        fine: how many files it found to be as recorded.
        asked: how many objects were named, None if a filter selected them.
        outcomes: how they stand.
    """
    if performed.action is Action.VERIFY and asked is not None:
        if asked == 1 and outcomes:
            return _VERDICTS.get(outcomes[0].word, f"The file is {outcomes[0].word}")
        return f"{fine} of {asked} files match the originals"
    if asked is not None:
        return f"{performed.objects} of {asked} {performed.action.done}"
    number = f"{performed.objects:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{number} {'object' if performed.objects == 1 else 'objects'} {performed.action.done}"


_VERDICTS = {
    Verification.OK.value: "The file matches the original",
    Verification.DAMAGED.value: "The file differs from the original",
    Verification.UNREADABLE.value: "The file can't be read",
    Verification.REPLACED.value: "The file was replaced by a later object",
}


def _why_skipped(action: Action, file: FileRecord) -> str:
    if action is Action.VERIFY:
        return f"skipped: not synced ({file.state})"
    return f"skipped: already {file.state}"
