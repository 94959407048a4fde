"""Retention: removing old history, never an object and never the history of an unsettled one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.ledger.database import Database

QUERIES = Path(__file__).with_name("pruning.sql")

RANGE = 10_000
"""Ids of one statement: no row is locked for long, and what was removed stays so after Ctrl-C."""

FINDINGS = 10_000
"""Findings of one statement."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """Rows that were removed, or would be.

    Attributes:
        attempts: on synced and dismissed objects.
        actions: of the audit, with what they did with synced and dismissed objects.
        runs: with their findings.
        callbacks: delivered or given up.
    """

    attempts: int
    actions: int
    runs: int
    callbacks: int


class Pruning:
    """Removes old history.

    Args:
        database: with this module's queries.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, before: datetime) -> Pruned:
        """Return how much history there is from before a moment (aware)."""
        (row,) = self._database.run("count_old", before=before)
        return Pruned(row.attempts, row.actions, row.runs, row.callbacks)

    def last_id(self) -> int:
        """Return the greatest id of an object, 0 if there is none."""
        return int(self._database.run("last_object")[0].id)

    def prune(self, before: datetime, reached: Callable[[int], None] = lambda _: None) -> Pruned:
        """Remove history from before a moment, in slices.

        Args:
            before: the moment (aware).
            reached: called with the greatest id that is done.
        """
        attempts = callbacks = 0
        last_id = self.last_id()
        for after_id in range(0, last_id, RANGE):
            ids = {"after_id": after_id, "to_id": after_id + RANGE, "before": before}
            attempts += self._database.run("prune_attempts", **ids)[0].rows
            self._database.run("prune_action_objects", **ids)
            callbacks += self._database.run("prune_callbacks", **ids)[0].rows
            reached(min(after_id + RANGE, last_id))
        while self._database.run("prune_findings", before=before, most=FINDINGS)[0].rows:
            pass
        actions = self._database.run("prune_actions", before=before)[0].rows
        runs = self._database.run("prune_runs", before=before)[0].rows
        return Pruned(attempts, actions, runs, callbacks)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._database.close()
