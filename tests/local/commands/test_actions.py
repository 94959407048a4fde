"""What a person does about objects on the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import typer

from local.commands.filters import moment
from shared.ledger.actions import Action, Actions
from shared.ledger.database import Database
from shared.ledger.ledger import QUERIES
from tests.helpers.servers import execute
from tests.local.commands.conftest import Sync

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROWS = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       last_error, failed_at, attempts, claimed_at)
VALUES ('o', 'r', 'queued.png', 'image/png', sha256('1'), 'q', 'queued', NULL, NULL, 0, NULL),
       ('o', 'r', 'a/now.png', 'image/png', sha256('2'), 'q', 'failed', 'Gone: one', now(),
        8, now()),
       ('o', 'r', 'a/old.jpg', 'image/jpeg', sha256('3'), 'q', 'failed', 'Gone: two',
        now() - interval '2 days', 8, now()),
       ('o', 'r', 'ü.jpg', 'image/jpeg', sha256('4'), 'q', 'failed', 'Full', now(), 8, now())
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("36h", NOW - timedelta(hours=36)),
        ("7d", NOW - timedelta(days=7)),
        ("10s", NOW - timedelta(seconds=10)),
        ("2026-01-30", datetime(2026, 1, 30, tzinfo=UTC)),
        ("2026-01-30T10:00+02:00", datetime(2026, 1, 30, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_or_how_long_ago(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "m", "yesterday", "-3h", "9999999999d", "3 h"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment(text, NOW)


@pytest.fixture
def url(database_url: str) -> str:
    """A ledger with a queued row, 1, and rows that failed now (2, 4) and two days ago (3)."""
    execute(database_url, ROWS)
    return database_url


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["--all"], 3),
        (["--failed-since", "1d"], 2),
        (["--failed-before", "1d"], 1),
        (["--id", "3"], 1),
        (["2", "3"], 2),
        (["1", "--id", "3"], 1),
        (["--reason", "gone"], 2),
        (["--name", "a/*"], 2),
        (["--name", "ü.jpg"], 1),
        (["--type", "image/jpeg", "--reason", "Gone"], 1),
        (["--state", "queued"], 0),
    ],
)
def test_the_chosen_failed_rows_are_queued_again(
    arguments: list[str], number: int, url: str, sync: Sync
) -> None:
    dry = sync("retry", *arguments, "--dry-run", DATABASE_URL=url)
    assert dry.out == f"{number} failed objects would be queued again\n", dry.err
    done = sync("retry", *arguments, DATABASE_URL=url)
    assert (done.code, done.out) == (0, f"{number} failed objects are queued again\n")
    again = sync("retry", *arguments, DATABASE_URL=url)
    assert again.out == "0 failed objects are queued again\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["--all", "--id", "1"], ["--id", "0"], ["x"], ["--name", ""], ["--failed-since", "soon"]],
)
@pytest.mark.parametrize("command", ["retry", "dismiss", "restore", "fetch-again"])
def test_an_unclear_choice_is_a_usage_error(command: str, arguments: list[str], sync: Sync) -> None:
    done = sync(command, *arguments)
    assert (done.code, done.out) == (2, "")
    assert f"./sync {command}" in done.err


def test_what_is_dismissed_can_be_restored_and_the_audit_says_by_whom(url: str, sync: Sync) -> None:
    assert sync("dismiss", "2", "3", DATABASE_URL=url).out == "2 failed objects are dismissed\n"
    assert sync("retry", "--all", DATABASE_URL=url).out == "1 failed objects are queued again\n"
    undone = sync("dismiss", "--undo", "2", "--json", DATABASE_URL=url)
    assert json.loads(undone.out) == {
        "action": "restore",
        "dry_run": False,
        "objects": 1,
        "id": 3,
        "selection": {"ids": [2]},
        "unknown_ids": [],
    }
    assert sync("restore", "--all", DATABASE_URL=url).out == "1 dismissed objects are restored\n"
    database = Database(url, *QUERIES)
    performed = Actions(database).newest(9)
    database.close()
    assert [p.action for p in performed] == [
        Action.RESTORE,
        Action.RESTORE,
        Action.RETRY,
        Action.DISMISS,
    ]
    assert all(p.actor.startswith("command line: ") for p in performed)


def test_an_unknown_id_is_named_and_the_others_are_done(url: str, sync: Sync) -> None:
    done = sync("retry", "2", "99", DATABASE_URL=url)
    assert (done.code, done.out) == (1, "1 failed objects are queued again\n")
    assert done.err == "there is no object 99\n"


def test_what_waits_is_due_at_once_only_if_asked_for(url: str, sync: Sync) -> None:
    execute(
        url,
        "UPDATE file_sync SET attempts = 1, next_attempt_at = now() + interval '1 hour'"
        " WHERE id = 1",
    )
    assert sync("retry", "1", DATABASE_URL=url).out.startswith("0 ")
    assert sync("retry", "1", "--now", DATABASE_URL=url).out.startswith("1 failed or waiting")


def test_synced_objects_are_fetched_again(url: str, sync: Sync) -> None:
    execute(
        url,
        "UPDATE file_sync SET state = 'synced', synced_at = now(), file_path = file_name,"
        " size_bytes = 1, sha256 = sha256('1') WHERE id = 1",
    )
    done = sync("fetch-again", "--synced-since", "1h", "--unverified", DATABASE_URL=url)
    assert done.out == "1 synced objects are queued to be fetched again\n", done.err
