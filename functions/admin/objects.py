"""What the admin asks of the ledger: pages of objects, one object, rates and reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from functions.admin.listing import PAGE_ROWS, Cursor, Listing, Order
from functions.admin.search import CANDIDATES, LARGEST_ID, Term
from shared.ledger.rows import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ledger.database import Database, Row

QUERIES = Path(__file__).with_name("queries.sql")

#: Two requests accepted at the same time may get their ids the other way round.
DISORDER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the list; a size and a digest are there when it is synced."""

    id: int
    file_name: str
    file_type: str
    state: State
    attempts: int
    created_at: datetime
    queued_at: datetime
    synced_at: datetime | None
    size_bytes: int | None
    sha256: bytes | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything that is recorded of one object, named as the ledger's columns are."""

    id: int
    oeid: str
    ref_id: str
    file_name: str
    file_type: str
    payload_checksum: bytes
    request_id: str
    state: State
    attempts: int
    attempts_forgiven: int
    next_attempt_at: datetime
    due_at: datetime
    leased_until: datetime | None
    claimed_at: datetime | None
    last_error: str | None
    created_at: datetime
    queued_at: datetime
    synced_at: datetime | None
    file_path: str | None
    size_bytes: int | None
    sha256: bytes | None
    etag: str | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger says of one object's file."""

    id: int
    file_name: str
    file_type: str
    state: State
    size_bytes: int | None
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One entry of an object's history."""

    attempt: int
    outcome: str
    reason: str | None
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Rate:
    """How many attempts ended in one step of time.

    Attributes:
        step: the step's beginning.
        outcome: how they ended.
        bucket: their duration since the object was queued, under 2^bucket / 8 seconds.
        objects: how many.
    """

    step: datetime
    outcome: str
    bucket: int
    objects: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list.

    Attributes:
        rows: in the order asked for.
        before: where the page before this one ends, None on the first page.
        after: where the next page begins, None on the last one.
        cut: the search found more than it looks at.
    """

    rows: list[Summary]
    before: Cursor | None
    after: Cursor | None
    cut: bool = False


class Objects:
    """Reads the ledger for the admin.

    Args:
        database: with this module's queries.

    Every method raises `LedgerUnavailable` when PostgreSQL is out of reach.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, listing: Listing) -> Page:
        """Gives the page that a listing asks for."""
        ids, cut = self._candidates(listing.term)
        descending = listing.descending != listing.backward
        cursor = listing.cursor
        first_id = self._id_at(listing.begins, -DISORDER) or 0
        last_id = self._id_at(listing.ends, DISORDER) or LARGEST_ID
        if cursor and listing.order is Order.CREATED:
            # In the order of the ids the place is one more bound of them.
            last_id = min(last_id, cursor.id) if descending else last_id
            first_id = first_id if descending else max(first_id, cursor.id + 1)
        keyed = cursor if listing.order is not Order.CREATED else None
        found = self._database.run(
            "page",
            state=listing.state,
            file_type=listing.file_type,
            first_id=first_id,
            last_id=last_id,
            begins=listing.begins,
            ends=listing.ends,
            ids=ids,
            sort=listing.order.value,
            descending=descending,
            cursor_id=keyed.id if keyed else None,
            cursor_text=keyed.text if keyed else None,
            cursor_number=keyed.number if keyed else None,
            cursor_moment=keyed.moment if keyed else None,
            most=PAGE_ROWS + 1,
        )
        rows = [Summary(*_typed(row, 3)) for row in found]
        more = len(rows) > PAGE_ROWS
        rows = rows[:PAGE_ROWS]
        if listing.backward:
            rows.reverse()
        has_before = more if listing.backward else cursor is not None
        has_after = listing.backward or more
        return Page(
            rows=rows,
            before=_cursor(listing.order, rows[0]) if rows and has_before else None,
            after=_cursor(listing.order, rows[-1]) if rows and has_after else None,
            cut=cut,
        )

    def file_types(self) -> list[str]:
        """Gives the media types there are."""
        return [row[0] for row in self._database.run("file_types")]

    def object(self, row_id: int) -> Detail | None:
        """Gives one object, None when there is none."""
        rows = self._database.run("object", row_id=row_id)
        return Detail(*_typed(rows[0], 7)) if rows else None

    def attempts(self, row_id: int) -> list[Attempt]:
        """Gives an object's history, the newest entries first."""
        return [Attempt(*row) for row in self._database.run("attempts", row_id=row_id)]

    def recorded(self, row_ids: Sequence[int]) -> list[Recorded]:
        """Gives what is recorded of the files of some objects."""
        rows = self._database.run("recorded", row_ids=list(row_ids))
        return [Recorded(*_typed(row, 3)) for row in rows]

    def newest_file(self, file_name: str) -> Recorded | None:
        """Gives the object whose file has this name now, None when there is none."""
        rows = self._database.run("newest_file", file_name=file_name)
        return Recorded(*_typed(rows[0], 3)) if rows else None

    def rates(self, since: datetime, step: timedelta) -> list[Rate]:
        """Gives what ended since a moment, by steps of time."""
        seconds = step.total_seconds()
        rows = self._database.run("rates", since=since, step_seconds=seconds)
        return [Rate(*row) for row in rows]

    def failure_reasons(self) -> list[tuple[str, int]]:
        """Gives why objects are failed and how many of the newest thousand, most first."""
        return [(reason, count) for reason, count in self._database.run("failure_reasons")]

    def _candidates(self, term: Term | None) -> tuple[list[int] | None, bool]:
        if term is None:
            return None, False
        found = self._database.run(
            "search",
            text=term.text,
            pattern=term.pattern,
            low=term.low,
            high=term.high,
            number=term.number,
            most=CANDIDATES + 1,
        )
        ways = [way for way, _ in found]
        cut = any(ways.count(way) > CANDIDATES for way in set(ways))
        return sorted({row_id for _, row_id in found}), cut

    def _id_at(self, moment: datetime | None, allowance: timedelta) -> int | None:
        if moment is None:
            return None
        rows = self._database.run("id_at", moment=moment + allowance)
        return int(rows[0][0])


def _typed(row: Row, state: int) -> Row:
    """Gives a row whose state, in that column, is a `State`, and whose digests are bytes."""
    values: list[Any] = [bytes(v) if isinstance(v, memoryview) else v for v in row]
    values[state] = State(values[state])
    return tuple(values)


def _cursor(order: Order, row: Summary) -> Cursor:
    match order:
        case Order.CREATED:
            return Cursor(row.id)
        case Order.NAME:
            return Cursor(row.id, text=row.file_name)
        case Order.SIZE:
            return Cursor(row.id, number=row.size_bytes)
        case Order.ATTEMPTS:
            return Cursor(row.id, number=row.attempts)
        case Order.SYNCED:
            return Cursor(row.id, moment=row.synced_at)
        case Order.QUEUED:
            return Cursor(row.id, moment=row.queued_at)
