"""Actions that people and schedules perform on objects: retry, fetch again, dismiss, verify.

An action is recorded first, with its filter, and then performed in slices, each one transaction.
If the process that began it is gone, `requeue` performs the rest. The history of each changed
object includes the action.
"""

from __future__ import annotations

import enum
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.ledger.database import Database, Row, Transaction
from shared.ledger.rows import State
from shared.ledger.selection import Selection

SLICE = 5_000
"""Objects changed in one transaction, so that rows are locked for a fraction of a second."""

REACH = 250_000
"""Ids among which one slice looks for its objects: a filter that no index serves has to compare all
of them, within the time limit of a statement."""

OTHERS_SECONDS = 0.1
"""Seconds between polls of an action that another process performs."""


class Action(enum.StrEnum):
    """What can be done with objects."""

    RETRY = "retry"
    """Queue failed objects again."""
    RETRY_NOW = "retry_now"
    """The same, and attempt objects that wait for their next attempt at once."""
    FETCH_AGAIN = "fetch_again"
    """Queue synced objects again; each file stays until it is replaced."""
    DISMISS = "dismiss"
    """Accept a failure that needs no action."""
    RESTORE = "restore"
    """Undo a dismissal."""
    VERIFY = "verify"
    """Read files again and compare them with the ledger."""

    @property
    def done(self) -> str:
        """What was done with an object, for people."""
        return _DONE[self]


_DONE = {
    Action.RETRY: "queued for retry",
    Action.RETRY_NOW: "queued for retry",
    Action.FETCH_AGAIN: "queued to be fetched again",
    Action.DISMISS: "dismissed",
    Action.RESTORE: "restored",
    Action.VERIFY: "queued for verification",
}


POSSIBLE: dict[Action, tuple[State, ...]] = {
    Action.RETRY: (State.FAILED,),
    Action.RETRY_NOW: (State.FAILED, State.QUEUED),
    Action.FETCH_AGAIN: (State.SYNCED,),
    Action.DISMISS: (State.FAILED,),
    Action.RESTORE: (State.DISMISSED,),
    Action.VERIFY: (State.SYNCED,),
}
"""The states that an action applies to; objects in other states are skipped."""

_STATEMENTS = {
    Action.RETRY: "apply_retry",
    Action.RETRY_NOW: "apply_retry",
    Action.FETCH_AGAIN: "apply_fetch_again",
    Action.DISMISS: "apply_dismiss",
    Action.RESTORE: "apply_restore",
    Action.VERIFY: "apply_verify",
}


@dataclass(frozen=True, slots=True)
class Performed:
    """An action, and how far it has been performed.

    Attributes:
        id: of the action.
        action: what is done.
        actor: who began it, such as "admin: jane".
        selection: the objects it applies to.
        begun_at: when it was recorded (aware).
        finished_at: when the last object was changed, None if it is unfinished.
        objects: how many were changed.
    """

    id: int
    action: Action
    actor: str
    selection: Selection
    begun_at: datetime
    finished_at: datetime | None
    objects: int


@dataclass(frozen=True, slots=True)
class ActionOnObject:
    """An action in the history of one object.

    Attributes:
        id: of the action.
        action: what was done.
        actor: by whom.
        at: when (aware).
        reason: why the object had failed, if it had.
    """

    id: int
    action: Action
    actor: str
    at: datetime
    reason: str | None


class Actions:
    """Records and performs actions.

    Args:
        database: with the ledger's statements.
        slice_size: the most objects changed in one transaction.
        reach: ids among which it searches for them.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database, slice_size: int = SLICE, reach: int = REACH) -> None:
        self._database = database
        self._slice_size = slice_size
        self._reach = reach

    def count(self, action: Action, selection: Selection) -> int:
        """Return how many objects an action would change now."""
        rows = self._database.run("count_selected", **possible(action), **selection.parameters())
        return int(rows[0].objects)

    def perform(
        self,
        action: Action,
        selection: Selection,
        actor: str,
        *,
        going: Callable[[], bool] = lambda: True,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Performed:
        """Perform an action on all objects of a selection that exist now.

        Args:
            action: what to do.
            selection: with which objects; those whose state it does not apply to are skipped.
            actor: who begins it.
            going: asked before each slice; False leaves the rest to `requeue`.
            progress: called now and then with the number of objects changed so far.
        """
        action_id = self.begin(action, selection, actor)
        while going():
            alone = self.advance(action_id) is not None
            performed = self.get(action_id)
            progress(performed.objects)
            if performed.finished_at:
                return performed
            if not alone:  # another process has locked it
                time.sleep(OTHERS_SECONDS)
        return self.get(action_id)

    def begin(self, action: Action, selection: Selection, actor: str) -> int:
        """Record an action without performing it yet, and return its id."""
        with self._database.transaction() as step:  # never twice, as `run` might
            rows = step(
                "begin_action",
                action=action.value,
                actor=actor,
                criteria=json.dumps(selection.document()),
            )
        return int(rows[0].id)

    def advance(self, action_id: int) -> int | None:
        """Perform the next slice of an action.

        Returns:
            The number of objects that it changed, which may be 0 before the end; None if nothing is
            left or another process has locked the action.
        """
        with self._database.transaction() as step:
            locked = step("lock_action", action_id=action_id)
            return self._slice(step, locked[0]) if locked else None

    def _slice(self, step: Transaction, row: Row) -> int | None:
        action = Action(row.name)
        selection = Selection.from_document(row.selection)
        # Ids that are given need no search.
        reach = row.last_id if selection.ids else min(row.last_id, row.position + self._reach)
        chosen = step(
            "choose",
            action_id=row.id,
            position=row.position,
            last_id=reach,
            most=self._slice_size,
            **possible(action),
            **selection.parameters(),
        )
        ids = [choice.id for choice in chosen]
        if ids:
            step(_STATEMENTS[action], row_ids=ids)
        whole = len(ids) < self._slice_size  # all that the filter selects up to `reach`
        finished = whole and reach == row.last_id
        step(
            "advance_action",
            action_id=row.id,
            position=reach if whole else max(ids),
            objects=len(ids),
            finished=finished,
        )
        return None if finished and not ids else len(ids)

    def finish(self, going: Callable[[], bool] = lambda: True) -> int:
        """Perform the rest of all unfinished actions, and return the number of objects changed.

        Args:
            going: asked before each slice.
        """
        changed = 0
        for row in self._database.run("unfinished_actions"):
            while going() and (more := self.advance(row.id)) is not None:
                changed += more
        return changed

    def get(self, action_id: int) -> Performed:
        """Return one action.

        Raises:
            LookupError: there is none with this id.
        """
        rows = self._database.run("action", action_id=action_id)
        if not rows:
            raise LookupError(action_id)
        return _performed(rows[0])

    def newest(self, most: int, before_id: int | None = None) -> list[Performed]:
        """Return the audit log, newest first.

        Args:
            most: the largest number of actions.
            before_id: only actions older than this one.
        """
        rows = self._database.run("actions", most=most, before_id=before_id)
        return [_performed(row) for row in rows]

    def on(self, row_id: int) -> list[ActionOnObject]:
        """Return the actions on one object, newest first."""
        return [
            ActionOnObject(row.id, Action(row.name), row.actor, row.begun_at, row.reason)
            for row in self._database.run("actions_on", row_id=row_id)
        ]

    def changed_by(self, action_id: int, row_ids: Sequence[int]) -> set[int]:
        """Return those of some objects that an action changed."""
        rows = self._database.run("changed_by", action_id=action_id, row_ids=list(row_ids))
        return {row.id for row in rows}


def possible(action: Action) -> dict[str, object]:
    """Return the parameters of a statement that selects what an action can change."""
    return {
        "possible": [state.value for state in POSSIBLE[action]],
        "waiting": action is Action.RETRY_NOW,
    }


def _performed(row: Row) -> Performed:
    return Performed(
        row.id,
        Action(row.name),
        row.actor,
        Selection.from_document(row.selection),
        row.begun_at,
        row.finished_at,
        row.objects,
    )
