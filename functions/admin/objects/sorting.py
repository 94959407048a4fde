"""Sort orders of the list, and the place in one where a page begins. Pure."""

from __future__ import annotations

import base64
import binascii
import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from shared.ledger.rows import State


class SortOrder(enum.StrEnum):
    """What rows are sorted by."""

    CREATED = "created"
    """The order in which requests were accepted, that of the ids."""
    NAME = "name"
    """The file name, by its bytes."""
    SIZE = "size"
    """The file's size; only synced objects have one."""
    SYNCED = "synced"
    """When the file was in place; only synced objects."""
    ATTEMPTS = "attempts"
    """The number of attempts, of objects with more than one."""
    QUEUED = "queued"
    """When it was queued: `CREATED` among the objects of one unsynced state."""


SORTABLE = (SortOrder.CREATED, SortOrder.NAME, SortOrder.SIZE, SortOrder.SYNCED, SortOrder.ATTEMPTS)
"""The sort orders that a column's header may ask for."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the list that one index yields in order.

    Attributes:
        order: of its rows.
        state: of its rows, None for any.
        least: fewest attempts of its rows, None for any.
        most: most attempts of its rows, None for any.
    """

    order: SortOrder
    state: State | None = None
    least: int | None = None
    most: int | None = None


_UNSYNCED = tuple(
    Part(SortOrder.QUEUED, state) for state in (State.QUEUED, State.FAILED, State.DISMISSED)
)
"""Objects that have no size yet, or were not synced, follow those that have."""

_ATTEMPTED = (
    Part(SortOrder.ATTEMPTS, least=2),
    Part(SortOrder.SYNCED, State.SYNCED, most=1),
    Part(SortOrder.QUEUED, State.FAILED, most=1),
    Part(SortOrder.QUEUED, State.DISMISSED, most=1),
    Part(SortOrder.QUEUED, State.QUEUED, least=1, most=1),
    Part(SortOrder.QUEUED, State.QUEUED, most=0),
)
"""No index sorts the many objects with one attempt: they stay together, state by state."""


def parts(
    sort: SortOrder, state: State | None, *, descending: bool, dated: bool = False
) -> tuple[Part, ...]:
    """Return the stretches that the list consists of, in the order in which they are read.

    =============  =========  ====================================================
    sorted by      state      parts
    =============  =========  ====================================================
    created, name  any        one, in that order
    created        a state    one, by when it was synced, or queued: a rare state
                              may be far from the newest ids
    size, synced   any        the synced, the queued, the failed, the dismissed
    attempts       any        several attempts, then one, then none; ascending the
                              other way round
    =============  =========  ====================================================

    Args:
        sort: the sort order that was asked for.
        state: the only state to show, None for any.
        descending: the greatest first.
        dated: only some days are shown, which bound the ids.
    """
    found: Sequence[Part] = (Part(sort, state),)
    if sort is SortOrder.CREATED and state is State.SYNCED and not dated:
        found = (Part(SortOrder.SYNCED, state),)
    elif sort is SortOrder.CREATED and state and state is not State.SYNCED:
        found = (Part(SortOrder.QUEUED, state),)
    elif sort in {SortOrder.SIZE, SortOrder.SYNCED}:
        found = (Part(sort, State.SYNCED), *_UNSYNCED)
    elif sort is SortOrder.ATTEMPTS:
        found = _ATTEMPTED if descending else _ATTEMPTED[::-1]
    return tuple(
        replace(part, state=part.state or state)
        for part in found
        if part.state is None or state in {None, part.state}
    )


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows: an id and the value that its part is sorted by.

    Attributes:
        id: of the row.
        part: number of the row's part of the list.
        text: its name.
        number: its size or attempts.
        moment: when it was synced or queued.
    """

    id: int
    part: int = 0
    text: str | None = None
    number: int | None = None
    moment: datetime | None = None

    def encode(self) -> str:
        """Return it as a URL parameter."""
        moment = self.moment.isoformat() if self.moment else None
        document = json.dumps(
            [self.id, self.part, self.text, self.number, moment], separators=(",", ":")
        )
        return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, of: Sequence[Part]) -> Self | None:
        """Return the place that a URL parameter names, None if these parts have none such."""
        try:
            document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            row_id, part, name, number, moment = document
            cursor = cls(
                _whole(row_id),
                range(len(of))[_whole(part)],
                name.encode().decode() if isinstance(name, str) else None,
                None if number is None else _whole(number),
                datetime.fromisoformat(moment) if moment else None,
            )
        except (ValueError, TypeError, IndexError, binascii.Error):
            return None
        return None if cursor._value(of[cursor.part].order) is None else cursor

    def _value(self, order: SortOrder) -> Any:
        match order:
            case SortOrder.CREATED:
                return self.id
            case SortOrder.NAME:
                return None if "\0" in (self.text or "\0") else self.text
            case SortOrder.SIZE | SortOrder.ATTEMPTS:
                return self.number
        return self.moment


def _whole(value: object) -> int:
    if not isinstance(value, int) or not -(2**63) < value < 2**63:
        raise ValueError(value)
    return value
