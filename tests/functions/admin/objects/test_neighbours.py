from __future__ import annotations

from collections.abc import Iterator

import pytest

from functions.admin.objects.listing import Listing
from functions.admin.objects.neighbours import Neighbours, neighbours
from functions.admin.objects.paging import Paging
from functions.admin.records import QUERIES, Records
from shared.ledger import scanning
from shared.ledger.database import Database
from tests.functions.admin.filled import FILL
from tests.helpers.servers import execute


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    execute(database_url, FILL)
    found = Database(database_url, QUERIES, scanning.QUERIES)
    yield found
    found.close()


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"dir": "asc"},
        {"state": "failed"},
        {"type": "image/png", "sort": "name"},
        {"sort": "size", "dir": "asc"},
        {"sort": "attempts"},
        {"sort": "synced"},
        {"q": "file_00"},
    ],
)
def test_the_neighbours_are_those_of_the_list(database: Database, query: dict[str, str]) -> None:
    paging, records = Paging(database), Records(database)
    listing = Listing.from_query(query)
    page = paging.page(listing)
    ids = [row.id for row in page.rows]
    if page.after:
        following = paging.page(Listing.from_query({**query, "after": page.after.encode()})).rows
        ids.append(following[0].id)
    assert len(ids) > 2
    for before, row_id, after in zip([None, *ids], ids, ids[1:], strict=False):
        details = records.object(row_id)
        assert details is not None
        assert neighbours(paging, listing, details) == Neighbours(before, after)


def test_an_object_that_left_the_list_has_none_or_those_of_its_place(database: Database) -> None:
    details = Records(database).object(1)
    assert details is not None
    assert details.state == "synced"
    failed = Listing.from_query({"state": "failed"})
    assert neighbours(Paging(database), failed, details) == Neighbours()
