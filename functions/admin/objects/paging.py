"""Paging: the pages of the list, read from the ledger."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions.admin.objects.listing import Listing
from functions.admin.objects.sorting import Cursor, Part, SortOrder
from functions.admin.records import ObjectDetails, ObjectSummary, record
from functions.admin.row_id import LARGEST_ID
from shared.ledger.database import Database
from shared.ledger.rows import State
from shared.ledger.scanning import Found, Scanning
from shared.ledger.search import Term
from shared.ledger.selection import Verification

PAGE_ROWS = 50
"""Objects of a page."""

CANDIDATES = 500
"""Objects that each index yields at most, so that a search costs no more however many match."""

MATCHES = 1_000
"""Objects that one search lists at most; it can be continued."""

SEARCH_SECONDS = 0.08
"""Seconds for what no index leads to, so that a page comes at once; it can be continued."""

DISORDER = timedelta(minutes=1)
"""Requests accepted within this time of each other may get their ids in another order."""

FEW_OF_TYPE = 20_000
"""Up to so many rows are fetched and sorted. Walking through an index until a page is full takes
less as long as matching rows are spread over it, and takes endlessly when they are not."""

FEW_IDS = 200_000
"""A range of up to so many ids is fetched and sorted likewise."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list.

    Attributes:
        rows: in the order asked for.
        before: where the page before this one ends, None on the first page.
        after: where the next page begins, None on the last one.
        cut: more than `CANDIDATES` objects have the result asked for.
        search: how far the search got, None if none was needed.
    """

    rows: list[ObjectSummary]
    before: Cursor | None
    after: Cursor | None
    cut: bool = False
    search: Found | None = None


class Paging:
    """The list, page by page.

    Args:
        database: with the admin's queries, and those of `Scanning`.
        few_of_type: so many objects of one type are few.
        few_ids: so many ids are a short range.
    """

    def __init__(
        self, database: Database, few_of_type: int = FEW_OF_TYPE, few_ids: int = FEW_IDS
    ) -> None:
        self._database = database
        self._scanning = Scanning(database)
        self._few_of_type = few_of_type
        self._few_ids = few_ids

    def page(self, listing: Listing) -> Page:
        """Return the page that a listing asks for.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        read = _Reading(self._database, self._scanning, listing, self._few_of_type, self._few_ids)
        numbers = range(len(listing.parts))
        cursor = listing.cursor
        rows: list[tuple[int, ObjectSummary]] = []
        for number in reversed(numbers) if listing.backward else numbers:
            place = cursor if cursor and cursor.part == number else None
            passed = cursor and place is None and (number > cursor.part) == listing.backward
            if not passed and len(rows) <= PAGE_ROWS:
                found = read.rows(listing.parts[number], place, PAGE_ROWS + 1 - len(rows))
                rows += [(number, row) for row in found]
        more = len(rows) > PAGE_ROWS
        rows = rows[:PAGE_ROWS]
        if listing.backward:
            rows.reverse()
        has_before = more if listing.backward else cursor is not None
        has_after = listing.backward or more
        return Page(
            rows=[row for _, row in rows],
            before=cursor_at(listing, *rows[0]) if rows and has_before else None,
            after=cursor_at(listing, *rows[-1]) if rows and has_after else None,
            cut=read.cut,
            search=read.search,
        )


class _Reading:
    """The reading of one page: what its parts have in common is found once."""

    def __init__(
        self,
        database: Database,
        scanning: Scanning,
        listing: Listing,
        few_of_type: int,
        few_ids: int,
    ) -> None:
        self._database = database
        self._scanning = scanning
        self._listing = listing
        self._ids: Sequence[int] | None = None
        self.search: Found | None = None
        self.cut = False
        if listing.searched:
            self._ids, self.search = self._searched()
        elif listing.verified:
            self._ids = self._verified(listing.verified)
        self._first_id = self._id_at(listing.begins, -DISORDER) or 0
        self._last_id = self._id_at(listing.ends, DISORDER) or LARGEST_ID
        self._few = self._ids is not None or self._last_id - self._first_id <= few_ids
        self._few_of_type = few_of_type
        self._rare: dict[State | None, bool] = {}

    def rows(self, part: Part, cursor: Cursor | None, most: int) -> list[ObjectSummary]:
        """Return the rows of a part after a place in it."""
        if (
            part.order is not SortOrder.NAME
            or part.state is not None
            or self._listing.file_type is None
            or self._fetched(part)
        ):
            return self._select(part, cursor, most)
        # The index by type and name holds only settled objects; the queue is read beside it.
        settled = self._select(part, cursor, most, settled=True)
        queued = self._select(replace(part, state=State.QUEUED), cursor, most)
        both = heapq.merge(
            settled,
            queued,
            key=lambda row: (row.file_name.encode(), row.id),
            reverse=self._descending,
        )
        return list(itertools.islice(both, most))

    @property
    def _descending(self) -> bool:
        return self._listing.descending != self._listing.backward

    def _select(
        self, part: Part, cursor: Cursor | None, most: int, *, settled: bool = False
    ) -> list[ObjectSummary]:
        listing = self._listing
        descending = self._descending
        first_id, last_id = self._first_id, self._last_id
        if cursor and part.order is SortOrder.CREATED:
            # In this sort order the place is one more bound of the ids.
            last_id = min(last_id, cursor.id) if descending else last_id
            first_id = first_id if descending else max(first_id, cursor.id + 1)
            cursor = None
        found = self._database.run(
            "page",
            state=part.state,
            settled=settled,
            file_type=listing.file_type,
            first_id=first_id,
            last_id=last_id,
            begins=listing.begins,
            ends=listing.ends,
            ids=self._ids,
            least=part.least,
            most_attempts=part.most,
            fetched=self._fetched(part),
            sort=part.order.value,
            descending=descending,
            cursor_id=cursor.id if cursor else None,
            cursor_text=cursor.text if cursor else None,
            cursor_number=cursor.number if cursor else None,
            cursor_moment=cursor.moment if cursor else None,
            most=most,
        )
        return [record(ObjectSummary, row) for row in found]

    def _fetched(self, part: Part) -> bool:
        if part.order is SortOrder.CREATED:
            return self._ids is not None
        # The queue has no index by name: every new object would pay for it.
        queued_by_name = part.order is SortOrder.NAME and part.state is State.QUEUED
        return self._few or queued_by_name or self._of_rare_type(part)

    def _of_rare_type(self, part: Part) -> bool:
        if self._listing.file_type is None:
            return False
        # Only failed objects have an index by type of their own.
        state = part.state if part.state is State.FAILED else None
        if state not in self._rare:
            most = self._few_of_type
            rows = self._database.run(
                "type_count", state=state, file_type=self._listing.file_type, most=most + 1
            )
            self._rare[state] = rows[0].objects <= most
        return self._rare[state]

    def _searched(self) -> tuple[Sequence[int], Found]:
        listing = self._listing
        found = self._scanning.find(listing.selection, MATCHES, SEARCH_SECONDS, listing.older)
        ids = set(found.ids)
        if listing.term and found.before_id and listing.older is None:
            # What an index leads to may be older than what the search has reached.
            ids.update(self._indexed(listing.term))
        return sorted(ids), found

    def _indexed(self, term: Term) -> Sequence[int]:
        rows = self._database.run(
            "search",
            text=term.text,
            pattern=term.pattern,
            low=term.low,
            high=term.high,
            number=term.number,
            most=CANDIDATES,
        )
        if not rows:
            return ()
        selection = replace(self._listing.selection, ids=tuple({row.id for row in rows}))
        return self._scanning.find(selection, len(rows), SEARCH_SECONDS).ids

    def _verified(self, verified: Sequence[Verification]) -> Sequence[int]:
        found = self._database.run(
            "verified", results=[result.value for result in verified], most=CANDIDATES + 1
        )
        self.cut = len(found) > CANDIDATES
        return sorted(row.id for row in found)

    def _id_at(self, moment: datetime | None, allowance: timedelta) -> int | None:
        if moment is None:
            return None
        (row,) = self._database.run("id_at", moment=moment + allowance)
        return int(row.id)


def cursor_at(listing: Listing, part: int, row: ObjectSummary | ObjectDetails) -> Cursor:
    """Return the place of a row in one of a listing's parts."""
    match listing.parts[part].order:
        case SortOrder.CREATED:
            return Cursor(row.id, part)
        case SortOrder.NAME:
            return Cursor(row.id, part, text=row.file_name)
        case SortOrder.SIZE:
            return Cursor(row.id, part, number=row.size_bytes)
        case SortOrder.ATTEMPTS:
            return Cursor(row.id, part, number=row.attempts)
        case SortOrder.SYNCED:
            return Cursor(row.id, part, moment=row.synced_at)
        case SortOrder.QUEUED:
            return Cursor(row.id, part, moment=row.queued_at)
