"""Replays: callbacks that are sent again because a person asks for it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.ledger.database import Database

SLICE = 5_000
"""Callbacks that one statement replays, so that rows are locked for a fraction of a second."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which callbacks to replay: those that match every condition.

    Attributes:
        ids: of callbacks.
        row_ids: of objects.
        since: recorded at or after this moment (aware).
        undelivered: only those that were given up; otherwise delivered ones as well.
    """

    ids: Collection[int] | None = None
    row_ids: Collection[int] | None = None
    since: datetime | None = None
    undelivered: bool = True

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of `callback_choice.sql`."""
        return {
            "ids": None if self.ids is None else list(self.ids),
            "row_ids": None if self.row_ids is None else list(self.row_ids),
            "since": self.since,
            "undelivered": self.undelivered,
        }


class Replays:
    """Lets callbacks be delivered again.

    Args:
        database: with the ledger's statements.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, ids: Collection[int]) -> set[int]:
        """Return which of some ids belong to callbacks."""
        return {row.id for row in self._database.run("known_callbacks", ids=list(ids))}

    def count(self, choice: Choice) -> int:
        """Return how many callbacks a replay would choose now."""
        return int(self._database.run("count_replayable", **choice.parameters())[0].callbacks)

    def perform(self, choice: Choice, going: Callable[[], bool] = lambda: True) -> int:
        """Let callbacks be delivered (again), with another day to do so; return their number.

        What is pending is left as it is.

        Args:
            choice: which ones.
            going: asked before each further slice; False leaves the rest as it is.
        """
        replayed = after_id = 0
        while True:
            rows = self._database.run(
                "replay_callbacks", **choice.parameters(), after_id=after_id, most=SLICE
            )
            replayed += len(rows)
            if len(rows) < SLICE or not going():
                return replayed
            after_id = max(row.id for row in rows)
