from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from functions.admin.listing import CHOSEN, PAGE_ROWS, Listing
from functions.admin.objects import QUERIES, Objects
from functions.admin.search import CANDIDATES
from shared.ledger.database import Database
from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject, Outcome, Settlement, State
from shared.transfer import Fetched
from tests.servers import execute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.admin.objects import Page

ROWS = 180

FILL = f"""
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
    attempts, created_at, queued_at, synced_at, file_path, size_bytes, sha256, last_error)
SELECT 'oeid-' || i / 3, 'ref-' || i,
  CASE WHEN i % 2 = 0 THEN 'folder/' ELSE '' END || 'file_' || lpad((i * 7 % 100)::text, 3, '0'),
  CASE WHEN i % 10 = 0 THEN 'image/png' ELSE 'image/jpeg' END, sha256(i::text::bytea), 'r',
  s.state, i % 4, now() - interval '10 days' + i * interval '1 hour',
  now() - interval '10 days' + i * interval '1 hour',
  CASE s.state WHEN 'synced' THEN now() - (i % 7) * interval '1 hour' END,
  CASE s.state WHEN 'synced' THEN 'x' END, CASE s.state WHEN 'synced' THEN i % 5 END,
  CASE s.state WHEN 'synced' THEN sha256('x') END, 'reason: ' || i
FROM generate_series(1, {ROWS}) AS i,
     LATERAL (SELECT (CASE WHEN i % 3 = 0 THEN 'queued' WHEN i % 3 = 1 THEN 'synced'
                      ELSE 'failed' END)::sync_state AS state) AS s
"""  # noqa: S608  # our own number


@pytest.fixture
def objects(database_url: str) -> Iterator[Objects]:
    execute(database_url, FILL)
    database = Database(database_url, QUERIES)
    yield Objects(database)
    database.close()


def ids(page: Page) -> list[int]:
    return [row.id for row in page.rows]


def walk(objects: Objects, query: dict[str, str]) -> list[int]:
    """Gives the ids of all pages, and makes sure that the way back shows the same ones."""
    listing = Listing.from_query(query)
    page = objects.page(listing)
    pages = [page]
    while page.after:
        page = objects.page(Listing.from_query({**query, "after": page.after.encode()}))
        pages.append(page)
    for earlier, later in itertools.pairwise(pages):
        assert later.before is not None
        back = objects.page(Listing.from_query({**query, "before": later.before.encode()}))
        assert ids(back) == ids(earlier)
        assert back.after is not None
    assert pages[0].before is None
    return [row_id for page in pages for row_id in ids(page)]


@pytest.mark.parametrize("sort", CHOSEN)
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("state", ["", *State])
def test_every_object_is_on_one_page_in_every_order(
    objects: Objects, sort: str, direction: str, state: str
) -> None:
    found = walk(objects, {"sort": sort, "dir": direction, "state": state})
    assert len(found) == len(set(found))
    expected = {
        i
        for i in range(1, ROWS + 1)
        if state in {"", ("queued", "synced", "failed")[i % 3]}
        and (sort not in {"size", "synced"} or i % 3 == 1)
        and (sort != "attempts" or i % 4 > 1)
    }
    assert set(found) == expected
    if sort == "created" and not state:
        assert found == sorted(expected, reverse=direction == "desc")
    if sort == "size":
        sizes = [i % 5 for i in found]
        assert sizes == sorted(sizes, reverse=direction == "desc")


@pytest.mark.parametrize("sort", CHOSEN)
def test_a_type_is_all_that_is_shown(objects: Objects, sort: str) -> None:
    found = walk(objects, {"type": "image/png", "sort": sort})
    assert all(i % 10 == 0 for i in found)
    if sort in {"created", "name"}:
        assert len(found) == ROWS / 10
    assert objects.page(Listing(file_type="none/such")).rows == []


@pytest.mark.parametrize("sort", CHOSEN)
def test_days_are_whole_and_include_their_ends(objects: Objects, sort: str) -> None:
    day = (datetime.now(UTC) - timedelta(days=8)).date()
    query = {"from": str(day), "to": str(day + timedelta(days=1)), "sort": sort}
    days = {
        r.created_at.astimezone(UTC).date() for r in objects.page(Listing.from_query(query)).rows
    }
    assert days <= {day, day + timedelta(days=1)}
    if sort == "created":
        assert len(walk(objects, query)) == 48
    early = Listing.from_query({"to": "2001-01-01"})
    assert objects.page(early).rows == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("file_007", {1}),
        ("folder/file_014", {2}),
        ("oeid-20", {60, 61, 62}),
        ("ref-33", {33}),
        ("42", {42}),
        ("file%", set()),
        ("FILE_007", set()),
    ],
)
def test_a_search_finds_names_and_ids(objects: Objects, text: str, found: set[int]) -> None:
    rows = walk(objects, {"q": text})
    assert {i for i in rows if i <= 100} == found
    assert all(i - 100 in found for i in rows if i > 100)


def test_a_search_finds_checksums_whole_or_begun(objects: Objects) -> None:
    detail = objects.object(5)
    assert detail is not None
    digest = detail.payload_checksum.hex()
    for text in (digest, digest[:8], digest.upper()[:20]):
        assert ids(objects.page(Listing(text=text))) == [5]


def test_a_search_looks_at_a_bounded_number(objects: Objects, database_url: str) -> None:
    execute(
        database_url,
        "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)"
        " SELECT 'o', 'r', 'many-' || i, 't/t', sha256(('m' || i)::bytea), 'r'"
        " FROM generate_series(1, 560) AS i",
    )
    page = objects.page(Listing(text="many-"))
    assert CANDIDATES < 560
    assert page.cut
    assert len(page.rows) == PAGE_ROWS
    assert not objects.page(Listing(text="file_")).cut


def test_types_and_reasons(objects: Objects) -> None:
    assert objects.file_types() == ["image/jpeg", "image/png"]
    assert objects.failure_reasons() == [("reason", ROWS // 3)]


def test_rates_are_counted_as_attempts_end(objects: Objects, database_url: str) -> None:
    ledger = Ledger.at(database_url)
    row_ids = [
        ledger.record(NewObject("o", "r", f"n{i}", "t/t", bytes([i] * 32), "q"), 60)
        for i in range(3)
    ]
    claims = ledger.claim([i for i in row_ids if i], lease_seconds=60, max_attempts=8)
    copy = Fetched(size=1, sha256=bytes(32), etag=None, verified_by="size")
    ledger.settle(
        [Settlement(claim, Outcome.SYNCED, fetched=copy) for claim in claims[:2]]
        + [Settlement(claims[2], Outcome.FAILED, "gone") for _ in range(1)]
    )
    ledger.redrive([claims[2].wanted.row_id])
    ledger.close()
    now = datetime.now(UTC)
    rates = objects.rates(now - timedelta(minutes=10), timedelta(hours=1))
    assert sum(r.objects for r in rates if r.outcome == "synced") == 2
    assert sum(r.objects for r in rates if r.outcome == "failed") == 1
    assert {r.outcome for r in rates} == {"synced", "failed"}
    assert all(r.bucket < 9 for r in rates)
    assert objects.rates(now + timedelta(minutes=2), timedelta(hours=1)) == []


def test_a_minute_makes_room_for_the_one_two_days_later(
    objects: Objects, database_url: str
) -> None:
    attempt = "INSERT INTO sync_attempt (file_sync_id, attempt, outcome, started_at) VALUES "
    execute(database_url, f"{attempt} (1, 1, 'retry', now())")
    execute(
        database_url,
        "UPDATE sync_rate SET minute = minute - interval '2 days', objects = 1000",
        f"{attempt} (1, 2, 'retry', now()), (1, 3, 'retry', now())",
    )
    rates = objects.rates(datetime.now(UTC) - timedelta(days=3), timedelta(hours=1))
    assert {rate.objects for rate in rates} <= {1, 2, 1000}
    recent = objects.rates(datetime.now(UTC) - timedelta(hours=1), timedelta(hours=1))
    assert sum(rate.objects for rate in recent) == 2
