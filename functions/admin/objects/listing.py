"""Which page of the list a URL asks for: search, filters, sort order and place. Pure.

A page is named by the row it begins after (keyset paging), so that the thousandth page costs what
the first one does and rows that arrive meanwhile shift nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from functions.admin import addresses
from functions.admin.objects.sorting import SORTABLE, Cursor, Part, SortOrder, parts
from functions.admin.row_id import parse_row_id
from shared.ledger.rows import State
from shared.ledger.search import Term
from shared.ledger.selection import PROBLEMS, Selection, Verification

MAX_TEXT = 1024
"""Characters of a search text or a media type that count."""

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9000, 1, 1)
"""PostgreSQL and the arithmetic with days need room on both sides."""

NEVER = "never"
"""Value of the parameter `verified` for files that were not verified since they were copied."""

VERIFIED = {"problem": PROBLEMS} | {result.value: (result,) for result in Verification}
"""Its other values, with the results that each one selects."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list.

    Attributes:
        text: the search text, "" for none.
        state: only this state.
        file_type: only this media type.
        verified: only files whose last verification had one of these results.
        unverified: only files that were not verified since they were copied.
        reason: only objects that failed, or are retried, for this reason: an error without details.
        changed_by: only objects that the action with this id has changed.
        first_day: only objects accepted on this day (UTC), or at this moment, or later.
        last_day: only objects accepted on this day or before, or before this moment.
        sort: the sort order, one of `SORTABLE`.
        descending: the greatest first.
        cursor: begin after this place, None for the first page.
        backward: end before the cursor instead.
        older: search on from this id down, where an earlier search ended.
    """

    text: str = ""
    state: State | None = None
    file_type: str | None = None
    verified: tuple[Verification, ...] = ()
    unverified: bool = False
    reason: str | None = None
    changed_by: int | None = None
    first_day: date | datetime | None = None
    last_day: date | datetime | None = None
    sort: SortOrder = SortOrder.CREATED
    descending: bool = True
    cursor: Cursor | None = None
    backward: bool = False
    older: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """Return the listing of a URL's parameters; an invalid one counts as not given."""
        state = query.get("state")
        sort = query.get("sort", "")
        listing = cls(
            text=_text(query.get("q", "")),
            state=State(state) if state in set(State) else None,
            file_type=_text(query.get("type", "")) or None,
            verified=VERIFIED.get(query.get("verified", ""), ()),
            unverified=query.get("verified") == NEVER,
            reason=_text(query.get("reason", "")) or None,
            changed_by=parse_row_id(query.get("action", "")),
            first_day=_day_or_moment(query.get("from", "")),
            last_day=_day_or_moment(query.get("to", "")),
            sort=SortOrder(sort) if sort in SORTABLE else SortOrder.CREATED,
            descending=query.get("dir") != "asc",
        )
        place = query.get("after") or query.get("before") or ""
        return cls(
            **listing.filters(),
            sort=listing.sort,
            descending=listing.descending,
            cursor=Cursor.decode(place, listing.parts) if place else None,
            backward="after" not in query and "before" in query,
            older=parse_row_id(query.get("older", "")),
        )

    def filters(self) -> dict[str, Any]:
        """Return what the list is filtered by."""
        return {
            "text": self.text,
            "state": self.state,
            "file_type": self.file_type,
            "verified": self.verified,
            "unverified": self.unverified,
            "reason": self.reason,
            "changed_by": self.changed_by,
            "first_day": self.first_day,
            "last_day": self.last_day,
        }

    @property
    def filtered(self) -> bool:
        """Whether it leaves any object out."""
        return any(self.filters().values())

    @property
    def selection(self) -> Selection:
        """The same filter, for actions and searches."""
        return Selection(
            states=(self.state,) if self.state else None,
            text=self.text or None,
            exact_reason=self.reason,
            file_type=self.file_type,
            received_from=self.begins,
            received_before=self.ends,
            verified=self.verified or None,
            unverified=self.unverified,
            changed_by=self.changed_by,
        )

    @property
    def searched(self) -> bool:
        """Whether no index leads to all of its objects."""
        few = not self.verified or set(self.verified) <= set(PROBLEMS)
        return bool(self.text or self.reason or self.changed_by or self.unverified or not few)

    @property
    def verified_as(self) -> str:
        """The value of the parameter `verified`, "" for none."""
        if self.unverified:
            return NEVER
        return next((name for name in VERIFIED if VERIFIED[name] == self.verified), "")

    @property
    def query(self) -> dict[str, str]:
        """The parameters of its filter."""
        values = {
            "q": self.text,
            "state": self.state,
            "type": self.file_type,
            "verified": self.verified_as,
            "reason": self.reason,
            "action": self.changed_by,
            "from": _shown(self.first_day),
            "to": _shown(self.last_day),
        }
        return {name: str(value) for name, value in values.items() if value}

    @property
    def term(self) -> Term | None:
        """What the search text may mean."""
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
        """The moment at which the first day begins, or that one."""
        return _moment(self.first_day) if self.first_day else None

    @property
    def ends(self) -> datetime | None:
        """The moment at which the last day is over, or that one."""
        if self.last_day is None or isinstance(self.last_day, datetime):
            return self.last_day
        return _moment(self.last_day + timedelta(days=1))

    def url(self, **changes: Any) -> str:
        """Return the URL of this listing's first page.

        Args:
            changes: parameters (`q`, `state`, `sort`, `after` …) to set or, as None, to drop.
        """
        values: dict[str, Any] = {
            **self.query,
            "sort": None if self.sort is SortOrder.CREATED else self.sort,
            "dir": None if self.descending else "asc",
            **changes,
        }
        query = urlencode({name: str(value) for name, value in values.items() if value})
        path = addresses.LIST.url()
        return f"{path}?{query}" if query else path

    @property
    def here(self) -> str:
        """The URL of this very page of the list."""
        return self.url(**self._place)

    def object_url(self, row_id: int) -> str:
        """Return the URL of an object's page that leads back to this page of the list."""
        _, _, query = self.here.partition("?")
        path = addresses.OBJECT.url(row_id=row_id)
        return f"{path}?{query}" if query else path

    def with_filter(self, path: str, **more: object) -> str:
        """Return the URL of another page that works with the same filter, with more parameters."""
        query = urlencode({**self.query, **{k: v for k, v in more.items() if v is not None}})
        return f"{path}?{query}" if query else path

    @property
    def _place(self) -> dict[str, object]:
        place: dict[str, object] = {"older": self.older}
        if self.cursor:
            place["before" if self.backward else "after"] = self.cursor.encode()
        return place

    def sorted_by(self, column: str) -> str:
        """Return the URL of the list sorted by a column, reversed if it is sorted by it already."""
        reverse = self.sort == column and self.descending
        return self.url(
            sort=None if column == SortOrder.CREATED else column, dir="asc" if reverse else None
        )


def _text(text: str) -> str:
    return text.strip().replace("\0", "")[:MAX_TEXT]


def _day_or_moment(text: str) -> date | datetime | None:
    """Return what a parameter names: 2026-11-29, or 2026-11-29T06:15 in UTC; else None."""
    try:
        found = datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
    except ValueError:
        return None
    if isinstance(found, datetime):
        # Within the bounds first: a time zone's offset could lead out of Python's calendar.
        return found.replace(tzinfo=UTC) if FIRST_DAY <= found.date() <= LAST_DAY else None
    return found if FIRST_DAY <= found <= LAST_DAY else None


def _moment(day: date | datetime) -> datetime:
    return day if isinstance(day, datetime) else datetime.combine(day, time(), UTC)


def _shown(day: date | datetime | None) -> str | None:
    if isinstance(day, datetime):
        return f"{day:%Y-%m-%dT%H:%M}"
    return day.isoformat() if day else None
