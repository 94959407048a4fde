"""Objects as the command line shows them."""

from __future__ import annotations

import json

import pytest

from tests.helpers.servers import execute, free_port
from tests.local.commands.conftest import Sync

ROWS = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       last_error, failed_at, attempts, claimed_at, synced_at, file_path,
                       size_bytes, sha256)
SELECT 'o', 'r', 'f' || n || '.png', 'image/png', sha256(n::text::bytea), 'q', 'synced', NULL,
       NULL, 1, now(), now(), 'f', 2048, sha256('x')
  FROM generate_series(1, 1200) AS n
"""
FAILED = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       last_error, failed_at, attempts)
VALUES ('o', 'r', E'bad\\x1b[31m\\u202e.png', 'image/png', sha256('bad'), 'q', 'failed',
        'Gone: one', now(), 3);
INSERT INTO sync_attempt (file_sync_id, attempt, outcome, reason, started_at)
SELECT id, 3, 'failed', 'Gone: one', now() - interval '2 s' FROM file_sync WHERE state = 'failed';
INSERT INTO verification (file_sync_id, result, checked_at) VALUES (1, 'damaged', now());
"""


@pytest.fixture
def url(database_url: str) -> str:
    """A ledger with 1,200 synced objects, the first of them damaged, and a failed one, 1201."""
    execute(database_url, ROWS, FAILED)
    return database_url


def test_a_list_is_the_newest_or_all(url: str, sync: Sync) -> None:
    first = sync("list", "--limit", "2", DATABASE_URL=url)
    assert first.code == 0
    header, failed, synced = first.out.splitlines()
    assert header.split()[:3] == ["id", "state", "attempts"]
    assert failed.split()[:3] == ["1201", "failed", "3"]
    assert "[Gone: one]" in failed
    assert synced.split()[:3] == ["1200", "synced", "1"]
    assert "--limit 0" in first.err
    everything = sync("list", "--limit", "0", "--json", DATABASE_URL=url)
    ids = [json.loads(line)["id"] for line in everything.out.splitlines()]
    assert ids == list(range(1201, 0, -1))
    assert everything.err == ""


def test_no_name_can_move_the_cursor(url: str, sync: Sync) -> None:
    shown = (
        sync("list", "--state", "failed", DATABASE_URL=url).out
        + sync("show", "1201", DATABASE_URL=url).out
    )
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert r"bad\u001b[31m\u202e.png" in shown


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["--state", "failed"], [1201]),
        (["--state", "failed", "--state", "dismissed"], [1201]),
        (["--verified", "damaged"], [1]),
        (["--name", "f12.png"], [12]),
        (["--name", "f119?.png"], list(range(1199, 1189, -1))),
        (["--reason", "GONE"], [1201]),
        (["--type", "image/jpeg"], []),
        (["--origin", "reconcile"], []),
        (["--received-before", "1h"], []),
        (["--synced-since", "1h", "1", "2", "1201"], [2, 1]),
    ],
)
def test_a_list_can_be_filtered(arguments: list[str], ids: list[int], url: str, sync: Sync) -> None:
    done = sync("list", *arguments, "--json", DATABASE_URL=url)
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == ids, done.err


def test_one_object_is_shown_with_its_history(url: str, sync: Sync) -> None:
    sync("dismiss", "1201", DATABASE_URL=url)
    done = sync("show", "1201", "--json", DATABASE_URL=url)
    assert done.code == 0
    document = json.loads(done.out)
    assert (document["state"], document["last_error"]) == ("dismissed", "Gone: one")
    assert [entry["what"] for entry in document["history"]] == ["failed", "dismiss"]
    assert document["history"][0]["seconds"] == pytest.approx(2, abs=1)
    assert document["payload_checksum"] == document["payload_checksum"].lower()
    assert document["created_at"].endswith("+00:00")
    text = sync("show", "1201", DATABASE_URL=url).out
    assert "failed (attempt 3, 2.0 s): Gone: one" in text
    assert "dismiss (command line: " in text


def test_an_unknown_object_is_a_problem_and_no_id_is_a_usage_error(url: str, sync: Sync) -> None:
    unknown = sync("show", "9999", "--json", DATABASE_URL=url)
    assert (unknown.code, unknown.out, unknown.err) == (1, "", "there is no object 9999\n")
    for typed in ("x", "0", "9223372036854775808"):
        assert sync("show", typed, DATABASE_URL=url).code == 2


@pytest.mark.parametrize(
    "arguments", [["list"], ["show", "1"], ["retry", "--all"], ["migrate"]], ids=lambda a: a[0]
)
def test_a_database_that_is_away_is_one_line(arguments: list[str], sync: Sync) -> None:
    done = sync(*arguments, DATABASE_URL=f"postgresql://u:secret@127.0.0.1:{free_port()}/d")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("PostgreSQL is unreachable: ")
    assert done.err.count("\n") == 1
    assert "secret" not in done.err


def test_a_ledger_of_an_earlier_version_is_one_line(postgres_url: str, sync: Sync) -> None:
    for arguments in (["list"], ["retry", "--all"]):
        done = sync(*arguments, DATABASE_URL=postgres_url)
        assert (done.code, done.out) == (1, "")
        assert "run ./sync migrate" in done.err
        assert done.err.count("\n") == 1
