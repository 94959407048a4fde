from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from functions.admin.objects.listing import Listing
from functions.admin.objects.paging import MATCHES, Page, Paging
from functions.admin.objects.sorting import SORTABLE
from functions.admin.records import QUERIES, ObjectSummary, Records
from shared.ledger import scanning
from shared.ledger.database import Database
from shared.ledger.rows import State
from tests.functions.admin.filled import FILL, ROWS
from tests.helpers.servers import execute


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    execute(database_url, FILL)
    database = Database(database_url, QUERIES, scanning.QUERIES)
    yield database
    database.close()


@pytest.fixture
def pages(database: Database) -> Paging:
    return Paging(database)


def ids(page: Page) -> list[int]:
    return [row.id for row in page.rows]


def walk(pages: Paging, query: dict[str, str]) -> list[ObjectSummary]:
    """Return the rows of all pages, and make sure that the way back shows the same ones."""
    page = pages.page(Listing.from_query(query))
    found = [page]
    while page.after:
        page = pages.page(Listing.from_query({**query, "after": page.after.encode()}))
        found.append(page)
    for earlier, later in itertools.pairwise(found):
        assert later.before is not None
        back = pages.page(Listing.from_query({**query, "before": later.before.encode()}))
        assert ids(back) == ids(earlier)
        assert back.after is not None
    assert found[0].before is None
    return [row for page in found for row in page.rows]


def value(row: ObjectSummary, sort: str) -> object:
    return {
        "created": row.id,
        "name": row.file_name.encode(),
        "size": row.size_bytes,
        "synced": row.synced_at,
        "attempts": max(row.attempts, 1) if row.state is not State.QUEUED else row.attempts,
    }[sort]


@pytest.mark.parametrize("sort", SORTABLE)
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("state", ["", *State])
@pytest.mark.parametrize("few", [True, False])
def test_every_object_is_on_one_page_in_every_order(
    database: Database,
    sort: str,
    direction: str,
    state: str,
    few: bool,
) -> None:
    pages = Paging(database, few_of_type=1000 if few else 0, few_ids=0)
    kind = {"type": "image/jpeg"} if direction == "asc" else {}
    found = walk(pages, {"sort": sort, "dir": direction, "state": state, **kind})
    numbers = [row.id for row in found]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) == {
        i
        for i in range(1, ROWS + 1)
        if state in {"", ("queued", "synced", "failed")[i % 3]} and (i % 10 or not kind)
    }
    values = [value(row, sort) for row in found]
    known = [v for v in values if v is not None]
    assert values[len(known) :] == [None] * (len(values) - len(known)), "who has no value is last"
    if sort != "created" or not state:
        assert known == sorted(known, reverse=direction == "desc")  # type: ignore[type-var]  # of one type


@pytest.mark.parametrize("sort", SORTABLE)
def test_a_type_is_all_that_is_shown(pages: Paging, sort: str) -> None:
    found = walk(pages, {"type": "image/png", "sort": sort})
    assert {row.id for row in found} == set(range(10, ROWS + 1, 10))
    assert pages.page(Listing(file_type="none/such")).rows == []


@pytest.mark.parametrize("sort", SORTABLE)
def test_days_are_whole_and_include_their_ends(pages: Paging, sort: str) -> None:
    day = (datetime.now(UTC) - timedelta(days=8)).date()
    query = {"from": str(day), "to": str(day + timedelta(days=1)), "sort": sort}
    days = {r.created_at.astimezone(UTC).date() for r in pages.page(Listing.from_query(query)).rows}
    assert days <= {day, day + timedelta(days=1)}
    assert len(walk(pages, query)) == 48
    early = Listing.from_query({"to": "2001-01-01"})
    assert pages.page(early).rows == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("file_007", {1}),
        ("folder/file_014", {2}),
        ("oeid-20", {60, 61, 62}),
        ("ref-33", {33}),
        ("42", {6, 42}),
        ("file%", set()),
        ("FILE_007", {1}),
        ("_08", {i for i in range(1, 101) if i * 7 % 100 // 10 == 8}),
    ],
)
def test_a_search_finds_names_and_ids(pages: Paging, text: str, found: set[int]) -> None:
    numbers = [row.id for row in walk(pages, {"q": text})]
    assert {i for i in numbers if i <= 100} == found
    assert all(i - 100 in found for i in numbers if i > 100)


def test_a_search_finds_checksums_whole_or_begun(pages: Paging, database: Database) -> None:
    detail = Records(database).object(5)
    assert detail is not None
    digest = detail.payload_checksum.hex()
    for text in (digest, digest[:8], digest.upper()[:20]):
        assert ids(pages.page(Listing(text=text))) == [5]


def test_a_search_lists_a_bounded_number_and_goes_on(pages: Paging, database_url: str) -> None:
    execute(
        database_url,
        "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)"
        " SELECT 'o', 'r', 'many-' || i, 't/t', sha256(('m' || i)::bytea), 'r'"
        f" FROM generate_series(1, {MATCHES + 100}) AS i",
    )
    newest = walk(pages, {"q": "MANY-"})
    assert [row.id for row in newest] == list(range(ROWS + MATCHES + 100, ROWS + 100, -1))
    search = pages.page(Listing(text="MANY-")).search
    assert search is not None
    rest = walk(pages, {"q": "MANY-", "older": str(search.before_id)})
    assert [row.id for row in rest] == list(range(ROWS + 100, ROWS, -1))
    # What an index leads to is listed although the search has not come so far.
    assert {1, 101} <= {row.id for row in walk(pages, {"q": "file_007"})}


def test_objects_are_listed_by_reason_verification_and_action(
    pages: Paging, database_url: str
) -> None:
    execute(
        database_url,
        "UPDATE file_sync SET last_error = 'another: x' WHERE id IN (2, 5)",
        "INSERT INTO verification (file_sync_id, result, checked_at)"
        " SELECT id, CASE WHEN id % 2 = 0 THEN 'ok' ELSE 'replaced' END, now()"
        " FROM file_sync WHERE state = 'synced' AND id < 100",
        "INSERT INTO action (name, actor, selection, last_id) VALUES ('dismiss', 'x', '{}', 9)",
        "INSERT INTO action_object (action_id, file_sync_id) VALUES (1, 8), (1, 11)",
    )

    def found(**query: str) -> list[int]:
        return sorted(row.id for row in walk(pages, query))

    failed = set(range(2, ROWS + 1, 3))
    assert found(reason="another", state="failed") == [2, 5]
    assert set(found(reason="reason", state="failed")) == failed - {2, 5}
    assert found(verified="ok") == list(range(4, 100, 6))
    assert found(verified="replaced", q="file") == list(range(1, 100, 6))
    assert found(verified="never", state="synced") == list(range(100, ROWS + 1, 3))
    assert found(action="1") == [8, 11]
    assert found(action="1", sort="name", q="56") == [8]
