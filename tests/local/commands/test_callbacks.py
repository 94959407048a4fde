"""What a person sees and does of callbacks on the command line."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from shared.ledger.ledger import Ledger
from tests.helpers.servers import execute, free_port, query
from tests.local.commands.conftest import Sync

ROWS = (
    """
    INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)
    SELECT 'o', 'r', n || '.jpg', 'image/jpeg', sha256(n::text::bytea), 'q'
      FROM generate_series(1, 2) AS n
    """,
    # 1 delivered, 2 given up two days ago, 3 given up, 4 pending; the last two of object 2.
    """
    INSERT INTO callback (file_sync_id, name_key, event, data, state, attempts, created_at,
                          delivered_at, last_error)
    VALUES (1, 1, 'object.failed', '{"file_name": "1.jpg"}', 'delivered', 1,
            now() - interval '3 days', now(), NULL),
           (1, 1, 'object.synced', '{"file_name": "1.jpg"}', 'undelivered', 9,
            now() - interval '2 days', NULL, 'The receiver refuses it: 410'),
           (2, 2, 'object.failed', '{"file_name": "2\\n.jpg"}', 'undelivered', 9,
            now() - interval '1 hour', NULL, 'The receiver refuses it: 400'),
           (2, 2, 'object.synced', '{"file_name": "2\\n.jpg"}', 'pending', 2, now(), NULL,
            'No answer')
    """,
)


@pytest.fixture
def url(database_url: str) -> str:
    execute(database_url, *ROWS)
    return database_url


def ids(printed: str) -> list[int]:
    return [json.loads(line)["id"] for line in printed.splitlines()]


def test_nothing_shows_while_there_is_no_callback(database_url: str, sync: Sync) -> None:
    execute(database_url, ROWS[0])
    shown = sync("status", DATABASE_URL=database_url, PORT=str(free_port())).out
    assert "allback" not in shown
    assert "allback" not in sync("show", "1", DATABASE_URL=database_url).out
    none = sync("callbacks", DATABASE_URL=database_url)
    assert (none.code, none.out) == (0, "Pending      0\nUndelivered  0\nReceiver     not paused\n")
    assert sync("callbacks", "--pending", DATABASE_URL=database_url).out == ""


def test_the_numbers_the_reasons_and_the_pause(url: str, sync: Sync) -> None:
    shown = sync("callbacks", DATABASE_URL=url)
    assert shown.code == 1
    assert "Undelivered  2\n         2  The receiver refuses it\n" in shown.out
    with closing(Ledger.at(url)) as ledger:
        ledger.pauses.open("callback", "Connection\nrefused")
    paused = sync("callbacks", DATABASE_URL=url).out.splitlines()[-1]
    assert paused.startswith("Receiver     paused since ")
    assert paused.endswith(": Connection\\u000arefused")
    status = sync("status", DATABASE_URL=url, PORT=str(free_port())).out
    assert "Callbacks   1 pending (oldest " in status
    assert "Paused      callback: " in status
    assert "callbacks: the receiver accepts no callbacks, since" in status


def test_the_lists(url: str, sync: Sync) -> None:
    assert ids(sync("callbacks", "--undelivered", "--json", DATABASE_URL=url).out) == [3, 2]
    assert ids(sync("callbacks", "--pending", "--json", DATABASE_URL=url).out) == [4]
    assert ids(sync("callbacks", "--object", "1", "--json", DATABASE_URL=url).out) == [2, 1]
    text = sync("callbacks", "--undelivered", "--limit", "1", DATABASE_URL=url)
    header, row = text.out.splitlines()
    assert header.split()[:3] == ["id", "event", "state"]
    assert row.endswith("2, 2\\u000a.jpg  [The receiver refuses it: 400]")
    assert "only the newest 1 are listed" in text.err
    unknown = sync("callbacks", "--object", "9", DATABASE_URL=url)
    assert (unknown.code, unknown.err) == (1, "there is no object 9\n")
    shown = sync("show", "1", DATABASE_URL=url).out
    assert "callback 2 object.synced (undelivered, 9 attempts): The receiver refuses it" in shown


@pytest.mark.parametrize(
    ("arguments", "replayed"),
    [
        (["--all"], [2, 3]),
        (["--all", "--delivered"], [1, 2, 3]),
        (["2", "4"], [2]),
        (["1"], []),
        (["1", "--delivered"], [1]),
        (["--object", "1"], [2]),
        (["--object", "1", "--object", "2", "--delivered"], [1, 2, 3]),
        (["--since", "36h"], [3]),
        (["--since", "36h", "--object", "1"], []),
    ],
)
def test_the_chosen_callbacks_are_replayed(
    arguments: list[str], replayed: list[int], url: str, sync: Sync
) -> None:
    dry = sync("replay", *arguments, "--dry-run", DATABASE_URL=url)
    assert dry.out == f"{len(replayed)} callbacks would be sent again\n", dry.err
    done = sync("replay", *arguments, DATABASE_URL=url)
    assert (done.code, done.out) == (0, f"{len(replayed)} callbacks are sent again\n")
    pending = query(url, "SELECT id FROM callback WHERE state = 'pending' ORDER BY id")
    assert pending == [(number,) for number in [*replayed, 4]]


def test_an_unknown_callback_is_named_and_the_others_are_replayed(url: str, sync: Sync) -> None:
    done = sync("replay", "2", "99", DATABASE_URL=url)
    assert (done.code, done.out) == (1, "1 callbacks are sent again\n")
    assert done.err == "there is no callback 99\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["replay", "--delivered"],
        ["replay", "--all", "3"],
        ["replay", "0"],
        ["replay", "--since", "soon"],
        ["callbacks", "--pending", "--undelivered"],
    ],
)
def test_an_unclear_choice_is_a_usage_error(arguments: list[str], sync: Sync) -> None:
    assert sync(*arguments).code == 2
