"""Finding and counting objects that no index leads to: newest first, within a time budget.

The ids are read range by range, so that a statement stays short whatever the filter is and however
many rows there are. What was not reached can be searched by another call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.ledger.actions import Action, possible
from shared.ledger.database import Database
from shared.ledger.selection import Selection

QUERIES = Path(__file__).with_name("scanning.sql")

FIRST_WIDTH = 20_000
"""Ids of the first range: read in some 20 ms if every name has to be compared."""

LEAST_WIDTH = 1_000

STATEMENT_SECONDS = 0.03
"""Seconds that one range is to take."""

GROWTH = 4
"""A range is at most so many times as wide as the one before it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        ids: of the objects, newest first.
        before_id: where to search on: no object from this id on is left; None if all were searched.
        back_to: when the last object searched was accepted (aware), None if all were searched.
    """

    ids: list[int]
    before_id: int | None
    back_to: datetime | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many objects a filter selects.

    Attributes:
        objects: the number.
        complete: False if there may be more.
    """

    objects: int
    complete: bool


class Scanning:
    """Searches the ledger without an index.

    Args:
        database: with this module's queries.
        clock: returns monotonic seconds.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock

    def find(
        self, selection: Selection, most: int, seconds: float, before_id: int | None = None
    ) -> Found:
        """Find objects, newest first.

        Args:
            selection: the filter.
            most: the largest number of objects.
            seconds: after which no further range is begun.
            before_id: only objects with smaller ids.
        """
        ids: list[int] = []
        ranges = self._ranges(selection, seconds, before_id)
        for first, before in ranges:
            rows = self._database.run(
                "scan",
                first=first,
                before=before,
                most=most - len(ids),
                **selection.parameters(),
            )
            ids += [row.id for row in rows]
            if len(ids) >= most:
                ranges.reached = ids[-1]
                break
        if ranges.reached <= ranges.least:
            return Found(ids, None, None)
        rows = self._database.run("accepted_at", row_id=ranges.reached)
        return Found(ids, ranges.reached, rows[0].created_at if rows else None)

    def count(
        self, selection: Selection, most: int, seconds: float, action: Action | None = None
    ) -> Counted:
        """Count objects.

        Args:
            selection: the filter.
            most: where to stop counting.
            seconds: after which no further range is begun.
            action: count only those that this action would change.
        """
        objects = 0
        ranges = self._ranges(selection, seconds, None)
        chosen: dict[str, Any] = {"possible": None, "waiting": False}
        if action:
            chosen = possible(action)
        for first, before in ranges:
            (row,) = self._database.run(
                "scan_count",
                first=first,
                before=before,
                most=most + 1 - objects,
                **chosen,
                **selection.parameters(),
            )
            objects += row.objects
            if objects > most:
                return Counted(most, complete=False)
        return Counted(objects, complete=ranges.reached <= ranges.least)

    def _ranges(self, selection: Selection, seconds: float, before_id: int | None) -> _Ranges:
        (bounds,) = self._database.run("id_bounds")
        least, before = bounds.least, bounds.greatest + 1
        if selection.ids:
            least, before = max(least, min(selection.ids)), min(before, max(selection.ids) + 1)
        if before_id is not None:
            before = min(before, before_id)
        whole = bool(selection.ids)  # found by their ids, wherever these are
        return _Ranges(least, before, seconds, self._clock, whole=whole)


class _Ranges:
    """Ranges of ids from the newest down, each as wide as the one before it was quick.

    Attributes:
        least: the least id there is to search.
        reached: the least id searched so far.
    """

    def __init__(
        self, least: int, before: int, seconds: float, clock: Callable[[], float], *, whole: bool
    ) -> None:
        self.least = least
        self.reached = before
        self._clock = clock
        self._until = clock() + seconds
        self._width = max(before - least, LEAST_WIDTH) if whole else FIRST_WIDTH
        self._asked: float | None = None

    def __iter__(self) -> _Ranges:
        return self

    def __next__(self) -> tuple[int, int]:
        now = self._clock()
        if self._asked is not None:
            took = max(now - self._asked, 1e-4)
            left = min(STATEMENT_SECONDS, self._until - now)
            wanted = int(self._width * left / took)
            self._width = max(LEAST_WIDTH, min(wanted, self._width * GROWTH))
        if self.reached <= self.least or (self._asked is not None and now >= self._until):
            raise StopIteration
        self._asked = now
        before = self.reached
        self.reached = max(self.least, before - self._width)
        return self.reached, before
