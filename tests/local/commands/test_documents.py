"""The JSON of every command has the shape that docs/command_line.md documents."""

from __future__ import annotations

import io
import json
from contextlib import closing
from typing import Any

import pytest

from local.doctor.finding import document, problem
from shared.ledger.heartbeats import WORKER
from shared.ledger.ledger import Ledger
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from tests.docs.pages import blocks
from tests.helpers.paths import ROOT
from tests.helpers.servers import execute, free_port
from tests.local.commands.conftest import Sync

(
    STATUS,
    DOCTOR,
    LIST,
    SHOW,
    ACTION,
    VERIFY,
    RUN,
    VERIFY_STATUS,
    VERIFY_CANCEL,
    LETTER,
    SETTLED,
    CALLBACKS,
    REPLAYED,
    PRUNED,
    DONE,
    SETTINGS,
    SIGNED,
    HASH,
    REQUESTS,
    COSTS,
) = map(json.loads, blocks(ROOT / "docs" / "command_line.md", "json"))
DAMAGED = """
INSERT INTO verification (file_sync_id, result, checked_at) VALUES (1, 'damaged', now())
"""
FAILED = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       last_error, failed_at, attempts)
VALUES ('o', 'r', 'a.png', 'image/png', sha256('1'), 'q', 'failed', 'Gone: one', now(), 3);
INSERT INTO sync_attempt (file_sync_id, attempt, outcome, reason, started_at)
SELECT id, 3, 'failed', 'Gone: one', now() FROM file_sync;
"""
CALLBACK = """
INSERT INTO callback (file_sync_id, name_key, event, data, state, last_error)
SELECT id, 1, 'object.failed', '{"file_name": "a.png"}', 'undelivered', 'No answer: timed out'
  FROM file_sync;
"""


def shape(document: Any) -> Any:
    """Return the keys of a document and of those in it; of a list, those of its first one."""
    if isinstance(document, dict):
        return {name: shape(value) for name, value in document.items()}
    if isinstance(document, list):
        return [shape(value) for value in document[:1]]
    return None


@pytest.fixture
def url(database_url: str) -> str:
    """A ledger with a failed object, a callback that was given up, a worker and a pause."""
    execute(database_url, FAILED, DAMAGED, CALLBACK)
    with closing(Ledger.at(database_url)) as ledger:
        ledger.heartbeats.beat(WORKER)
        ledger.pauses.open("source", "The bucket does not exist")
        ledger.pauses.open("callback", "Connection refused")
    return database_url


def test_objects_and_actions(url: str, sync: Sync) -> None:
    assert shape(json.loads(sync("list", "--json", DATABASE_URL=url).out)) == shape(LIST)
    assert shape(json.loads(sync("show", "1", "--json", DATABASE_URL=url).out)) == shape(SHOW)
    pruned = sync("prune", "--older-than", "30d", "--json", DATABASE_URL=url)
    assert shape(json.loads(pruned.out)) == shape(PRUNED)
    for command in ("dismiss", "restore", "retry"):
        done = sync(command, "--all", "--json", DATABASE_URL=url)
        assert shape(json.loads(done.out)) == shape(ACTION)


def test_callbacks(url: str, sync: Sync) -> None:
    found = json.loads(sync("callbacks", "--json", DATABASE_URL=url).out)
    assert shape(found) == shape(CALLBACKS)
    (listed,) = sync("callbacks", "--undelivered", "--json", DATABASE_URL=url).out.splitlines()
    assert shape(json.loads(listed)) == shape(SHOW["callbacks"][0])
    replayed = sync("replay", "--all", "--json", DATABASE_URL=url)
    assert shape(json.loads(replayed.out)) == shape(REPLAYED)


def test_status_and_dead_letters(url: str, rabbitmq_url: str, sync: Sync) -> None:
    declare(rabbitmq_url, "classic")
    with closing(BrokerQueue(rabbitmq_url)) as queue:
        queue.dead_letter(b"hello", "not JSON", {})
    servers = {"DATABASE_URL": url, "RABBITMQ_URL": rabbitmq_url}
    shown = sync("status", "--json", PORT=str(free_port()), **servers)
    found = json.loads(shown.out)
    documented = shape(STATUS)
    documented["servers"]["queue"] = documented["servers"]["ledger"]
    found["storage"] |= {name: 0 for name in documented["storage"] if name != "path"}
    assert shape(found) == documented
    assert (shown.code, found["ok"]) == (1, False)
    assert found["queue"] == {"messages": 0, "dead_letters": 1}
    assert found["failures"] == [{"reason": "Gone", "objects": 1}]
    assert found["rate"]["failed"] == 1
    for text in (
        "1 objects have failed",
        "1 stored files are damaged",
        "source: The bucket",
        "1 dead letters",
        "callbacks: the receiver accepts no callbacks, since",
        "start it with",
    ):
        assert any(text in problem for problem in found["problems"]), text
    text = sync("status", PORT=str(free_port()), **servers).out
    assert "Failed      1\n        1  Gone\n" in text
    letters = sync("dead-letters", "show", "--json", **servers)
    assert shape(json.loads(letters.out)) == shape(LETTER)
    settled = sync("dead-letters", "drop", "--all", "--json", **servers)
    assert shape(json.loads(settled.out)) == shape(SETTLED)


def test_with_everything_away_status_still_shows_where_it_should_be(sync: Sync) -> None:
    away = f"postgresql://u:hidden@127.0.0.1:{free_port()}/d"
    shown = sync("status", "--json", DATABASE_URL=away, PORT=str(free_port()))
    found = json.loads(shown.out)
    assert (shown.code, found["objects"], found["rate"]) == (1, None, None)
    assert any("ledger: PostgreSQL is unreachable: " in p for p in found["problems"])
    assert "hidden" not in shown.out


def test_costs(sync: Sync) -> None:
    files = ("--files", "1000000")
    found = json.loads(sync("aws", "costs", *files, "-p", "LogLevel=WARNING", "--json").out)
    assert shape(found) == shape(COSTS)
    assert found["total"] == COSTS["total"]
    assert found["notes"] == []


def test_what_the_doctor_finds() -> None:
    assert shape(document([problem("a", "b", "c")])) == shape(DOCTOR)


def test_what_sets_an_installation_up(
    postgres_url: str, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    def printed(*arguments: str, **variables: str) -> Any:
        done = sync(*arguments, "--json", **variables)
        assert (done.code, done.out.count("\n")) == (0, 1), done.err
        return json.loads(done.out)

    migrated = printed("migrate", DATABASE_URL=postgres_url)
    assert shape(migrated) == shape(DONE)
    assert migrated["done"][0] == "ledger migrated: 0001.ledger"
    assert shape(printed("settings")) == shape(SETTINGS)
    assert shape(printed("sign", "{}", SECRET_KEY="k")) == shape(SIGNED)
    assert shape(printed("sample-requests", SECRET_KEY="k")) == shape(REQUESTS)
    monkeypatch.setattr("sys.stdin", io.StringIO("a password\n"))
    assert shape(printed("hash-password")) == shape(HASH)
    assert "memcached: not running" in printed("services", "status")["done"]
