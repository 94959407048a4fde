"""Which page of the list a URL asks for: search, filters, order and place. Pure.

A page is named by the row it begins after (keyset paging), so that the thousandth page costs what
the first one does and rows that arrive meanwhile shift nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from functions.admin.objects.search import Term
from functions.admin.objects.sorting import CHOSEN, Cursor, Order, Part, parts
from shared.ledger.rows import State

PATH = "/admin/sync/filesync/"
MAX_TEXT = 1024


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list.

    Attributes:
        text: the search text, "" for none.
        state: only this state.
        file_type: only this media type.
        first_day: only objects accepted on this day (UTC) or later.
        last_day: only objects accepted on this day or before.
        sort: one of `CHOSEN`.
        descending: the greatest first.
        cursor: begin after this place, None for the first page.
        backward: end before the cursor instead.
    """

    text: str = ""
    state: State | None = None
    file_type: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    sort: Order = Order.CREATED
    descending: bool = True
    cursor: Cursor | None = None
    backward: bool = False

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """Reads a URL's parameters; one that makes no sense counts as not given."""
        state = query.get("state")
        sort = query.get("sort", "")
        listing = cls(
            text=_text(query.get("q", "")),
            state=State(state) if state in set(State) else None,
            file_type=_text(query.get("type", "")) or None,
            first_day=_day(query.get("from", "")),
            last_day=_day(query.get("to", "")),
            sort=Order(sort) if sort in CHOSEN else Order.CREATED,
            descending=query.get("dir") != "asc",
        )
        place = query.get("after") or query.get("before") or ""
        return cls(
            **listing.filters(),
            sort=listing.sort,
            descending=listing.descending,
            cursor=Cursor.decode(place, listing.parts) if place else None,
            backward="after" not in query and "before" in query,
        )

    def filters(self) -> dict[str, Any]:
        """Gives what the list is narrowed by."""
        return {
            "text": self.text,
            "state": self.state,
            "file_type": self.file_type,
            "first_day": self.first_day,
            "last_day": self.last_day,
        }

    @property
    def narrowed(self) -> bool:
        """Whether it shows anything less than every object."""
        return any(self.filters().values())

    @property
    def term(self) -> Term | None:
        """What is searched for."""
        return Term.parse(self.text)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The stretches that it consists of."""
        return parts(
            self.sort,
            self.state,
            descending=self.descending,
            dated=bool(self.first_day or self.last_day),
        )

    @property
    def begins(self) -> datetime | None:
        """The moment at which the first day begins."""
        return _midnight(self.first_day) if self.first_day else None

    @property
    def ends(self) -> datetime | None:
        """The moment at which the last day is over."""
        return _midnight(self.last_day + timedelta(days=1)) if self.last_day else None

    def url(self, **changes: Any) -> str:
        """Gives the address of this listing's first page.

        Args:
            changes: parameters (`q`, `state`, `sort`, `after` …) to set or, as None, to drop.
        """
        values: dict[str, Any] = {
            "q": self.text,
            "state": self.state,
            "type": self.file_type,
            "from": self.first_day,
            "to": self.last_day,
            "sort": None if self.sort is Order.CREATED else self.sort,
            "dir": None if self.descending else "asc",
            **changes,
        }
        query = urlencode({name: str(value) for name, value in values.items() if value})
        return f"{PATH}?{query}" if query else PATH

    def sorted_by(self, column: str) -> str:
        """Gives the address of the list sorted by a column, the other way round at the second."""
        turned = self.sort == column and self.descending
        return self.url(
            sort=None if column == Order.CREATED else column, dir="asc" if turned else None
        )


def _text(text: str) -> str:
    return text.strip().replace("\0", "")[:MAX_TEXT]


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # PostgreSQL and the arithmetic on both sides of a day need room.
    return day if date(1970, 1, 1) <= day <= date(9000, 1, 1) else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
