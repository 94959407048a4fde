"""Reading objects: those that a filter selects, and everything about one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shared.ledger.database import Database, Row
from shared.ledger.rows import State
from shared.ledger.selection import PROBLEMS, Selection

QUERIES = Path(__file__).with_name("objects.sql")

PAGE = 1_000
"""Objects read at a time."""


class Objects:
    """Read queries on the ledger.

    A document names each column as the ledger does; times are aware, digests are bytes.

    Args:
        database: with this module's queries.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def selected(self, selection: Selection, most: int | None) -> Iterator[dict[str, Any]]:
        """Yield the objects that a filter selects, newest first, in bounded memory.

        Args:
            selection: the filter.
            most: the largest number of objects, None for all.
        """
        before_id = None
        while most is None or most > 0:
            rows = self._database.run(
                "selected",
                before_id=before_id,
                most=PAGE if most is None else min(most, PAGE),
                **selection.parameters(),
            )
            yield from map(_document, rows)
            if len(rows) < PAGE:
                return
            before_id = rows[-1].id
            most = None if most is None else most - len(rows)

    def known(self, row_ids: Sequence[int]) -> dict[int, State]:
        """Return the states of the objects with these ids; unknown ids are left out."""
        rows = self._database.run("known", row_ids=list(row_ids))
        return {row.id: State(row.state) for row in rows}

    def get(self, row_id: int) -> dict[str, Any] | None:
        """Return everything about one object, None if there is none with this id."""
        rows = self._database.run("whole_object", row_id=row_id)
        return _document(rows[0]) if rows else None

    def history(self, row_id: int) -> list[dict[str, Any]]:
        """Return the attempts and actions on an object, oldest first."""
        return [_document(row) for row in self._database.run("history", row_id=row_id)]

    def verified_by(self, action_id: int) -> dict[str, int]:
        """Return how many objects of a verify action have each result since it began."""
        rows = self._database.run("verified_by_action", action_id=action_id)
        return {row.result: row.objects for row in rows}

    def problems_of(self, action_id: int) -> Iterator[tuple[int, str, str]]:
        """Yield id, file name and result of those that are not as recorded, as `verified_by`."""
        after_id = 0
        while rows := self._database.run(
            "problems_of_action",
            action_id=action_id,
            problems=[problem.value for problem in PROBLEMS],
            after_id=after_id,
            most=PAGE,
        ):
            yield from ((row.id, row.file_name, row.result) for row in rows)
            after_id = rows[-1].id

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._database.close()


def _document(row: Row) -> dict[str, Any]:
    return {
        name: bytes(value) if isinstance(value, memoryview) else value
        for name, value in row._asdict().items()
    }
