from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from shared.ledger.actions import Action
from shared.ledger.database import Database
from shared.ledger.rows import State
from shared.ledger.scanning import FIRST_WIDTH, QUERIES, STATEMENT_SECONDS, Counted, Scanning
from shared.ledger.selection import Selection
from tests.functions.admin.filled import FILL, ROWS
from tests.helpers.servers import execute, query

AMPLE = 60.0


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    execute(database_url, FILL)
    database = Database(database_url, QUERIES)
    yield database
    database.close()


def set_far(url: str) -> None:
    """Add an object whose id is so great that several ranges lie between it and the others."""
    execute(
        url,
        "INSERT INTO file_sync (id, oeid, ref_id, file_name, file_type, payload_checksum,"
        f" request_id) OVERRIDING SYSTEM VALUE VALUES ({FIRST_WIDTH * 3}, 'o', 'r',"
        " 'A/FILE_far', 't/t', sha256('far'), 'req-7')",
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ILE_00", {"file_007", "folder/file_000", "folder/file_002", "file_001", "file_003",
                    "folder/file_004", "file_005", "folder/file_006", "folder/file_008",
                    "file_009"}),
        ("le_far", {"A/FILE_far"}),
        ("req-7", {"A/FILE_far"}),
        ("%", set()),
        ("_far", {"A/FILE_far"}),
    ],
)  # fmt: skip
def test_a_piece_of_a_name_is_found_in_any_case(
    database: Database, database_url: str, text: str, names: set[str]
) -> None:
    set_far(database_url)
    found = Scanning(database).find(Selection(text=text), 500, AMPLE)
    assert (found.before_id, found.back_to) == (None, None)
    assert found.ids == sorted(found.ids, reverse=True)
    ids = ", ".join(map(str, [0, *found.ids]))
    rows = query(database_url, f"SELECT file_name FROM file_sync WHERE id IN ({ids})")
    assert {name for (name,) in rows} == names


def test_digests_are_found_by_their_beginning(database: Database, database_url: str) -> None:
    execute(database_url, "UPDATE file_sync SET sha256 = sha256('own') WHERE id = 4")
    ((digest,),) = query(database_url, "SELECT encode(sha256('own'), 'hex')")
    scanning = Scanning(database)
    for text in (digest, digest[:8], digest.upper()):
        assert scanning.find(Selection(text=text), 500, AMPLE).ids == [4]


def test_a_search_goes_on_where_it_stopped(database: Database) -> None:
    scanning = Scanning(database)
    first = scanning.find(Selection(text="file"), 100, AMPLE)
    assert len(first.ids) == 100
    assert first.before_id == first.ids[-1] == ROWS - 99
    assert first.back_to is not None
    rest = scanning.find(Selection(text="file"), 100, AMPLE, first.before_id)
    assert first.ids + rest.ids == list(range(ROWS, 0, -1))
    assert rest.before_id is None


def test_without_time_one_range_is_searched(database: Database, database_url: str) -> None:
    set_far(database_url)
    found = Scanning(database).find(Selection(text="file"), 500, 0.0)
    assert found.ids == [FIRST_WIDTH * 3]
    assert found.before_id == FIRST_WIDTH * 2 + 1
    assert Scanning(database).count(Selection(text="file"), 500, 0.0) == Counted(1, complete=False)


def test_ranges_grow_while_they_are_quick(database: Database, database_url: str) -> None:
    set_far(database_url)
    ticks = itertools.count(0.0, STATEMENT_SECONDS / 1000)
    found = Scanning(database, lambda: next(ticks)).find(Selection(text="file"), 500, AMPLE)
    assert len(found.ids) == ROWS + 1


def test_objects_are_counted_up_to_a_limit(database: Database) -> None:
    scanning = Scanning(database)
    assert scanning.count(Selection(), 1000, AMPLE) == Counted(ROWS, complete=True)
    assert scanning.count(Selection(), ROWS, AMPLE) == Counted(ROWS, complete=True)
    assert scanning.count(Selection(), ROWS - 1, AMPLE) == Counted(ROWS - 1, complete=False)
    failed = Selection(states=(State.FAILED,), exact_reason="reason")
    assert scanning.count(failed, 1000, AMPLE) == Counted(ROWS // 3, complete=True)
    everything = scanning.count(Selection(), 1000, AMPLE, Action.RETRY)
    assert everything == Counted(ROWS // 3, complete=True)


def test_given_ids_are_found_wherever_they_are(database: Database, database_url: str) -> None:
    set_far(database_url)
    found = Scanning(database).find(Selection(ids=(5, FIRST_WIDTH * 3)), 10, 0.0)
    assert (found.ids, found.before_id) == ([FIRST_WIDTH * 3, 5], None)


def test_an_empty_ledger_is_searched(database_url: str) -> None:
    database = Database(database_url, QUERIES)
    try:
        found = Scanning(database).find(Selection(text="x"), 10, AMPLE)
        assert (found.ids, found.before_id) == ([], None)
    finally:
        database.close()
