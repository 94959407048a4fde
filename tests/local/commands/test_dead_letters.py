"""Dead letters on a real broker: shown, put back, removed."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from shared.errors import QueueUnavailable
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from shared.queue.rabbitmq.dead_letters import RENEWED_AFTER, Fate, count, go_through
from shared.queue.rabbitmq.inspection import depths
from tests.helpers.waiting import until
from tests.local.commands.conftest import Sync

DATABASE_URL = "postgresql://u:p@127.0.0.1:1/unused"


@pytest.fixture(params=["classic", "quorum"])
def broker(request: pytest.FixtureRequest, rabbitmq_url: str) -> str:
    """A broker with three dead letters, one of which names a row."""
    declare(rabbitmq_url, request.param)
    with closing(BrokerQueue(rabbitmq_url)) as queue:
        queue.dead_letter(b"no json", "not JSON", {"request_id": "r-1"})
        queue.dead_letter(SyncMessage(7).body, "delivered too often", {})
        queue.dead_letter(b"\xff\x00" * 200, "not JSON", {})
    return rabbitmq_url


def test_they_are_shown_and_stay(broker: str, sync: Sync) -> None:
    for _ in range(2):
        shown = sync(
            "dead-letters", "show", "--json", RABBITMQ_URL=broker, DATABASE_URL=DATABASE_URL
        )
        assert shown.code == 0, shown.err
        first, second, third = map(json.loads, shown.out.splitlines())
        assert (first["reason"], first["body"], first["row_id"]) == ("not JSON", "no json", None)
        assert first["headers"]["request_id"] == "r-1"
        assert second["row_id"] == 7
        assert len(first["id"]) == 36
        assert first["at"].endswith("+00:00")
    text = sync("dead-letters", "show", RABBITMQ_URL=broker, DATABASE_URL=DATABASE_URL)
    assert text.out.count("\n") == 3
    assert "\\xff" not in text.out
    assert "(400 bytes)" in text.out
    assert third["reason"] == "not JSON"
    assert count(broker) == 3


def test_one_is_put_back_and_the_others_stay(broker: str, sync: Sync) -> None:
    letters = {letter.row_id: letter.id for letter, _ in go_through(broker, keep, 3)}
    done = sync(
        "dead-letters", "replay", letters[7], RABBITMQ_URL=broker, DATABASE_URL=DATABASE_URL
    )
    assert (done.code, done.out) == (0, "1 dead letters are put back in the queue\n"), done.err
    until(lambda: depths(broker, 5) == (1, 2))  # a quorum queue has them back a moment later
    unknown = sync(
        "dead-letters", "replay", "nowhere", RABBITMQ_URL=broker, DATABASE_URL=DATABASE_URL
    )
    assert (unknown.code, unknown.err) == (1, "there is no dead letter nowhere\n")


def test_those_of_one_reason_are_removed(broker: str, sync: Sync) -> None:
    arguments = ("dead-letters", "drop", "--reason", "json")
    dry = sync(*arguments, "--dry-run", RABBITMQ_URL=broker, DATABASE_URL=DATABASE_URL)
    assert dry.out.endswith("2 dead letters would be removed\n")
    assert count(broker) == 3
    done = sync(*arguments, "--json", RABBITMQ_URL=broker, DATABASE_URL=DATABASE_URL)
    assert json.loads(done.out) == {
        "action": "drop",
        "dry_run": False,
        "messages": 2,
        "unknown_ids": [],
    }
    until(lambda: depths(broker, 5) == (0, 1))


def keep(_: object) -> Fate:
    return Fate.KEEP


def test_looking_often_loses_none(rabbitmq_url: str) -> None:
    declare(rabbitmq_url, "quorum")
    with closing(BrokerQueue(rabbitmq_url)) as queue:
        queue.dead_letter(b"kept", "why", {"n": 5})
    seen = []
    for _ in range(2 * RENEWED_AFTER):
        # A quorum queue has what is returned to it a moment after the connection is closed.
        until(lambda: count(rabbitmq_url) == 1, "the letter to be back")
        seen += [letter for letter, _ in go_through(rabbitmq_url, keep, 10)]
    assert len(seen) == 2 * RENEWED_AFTER
    assert {(letter.id, letter.body, letter.reason, letter.at) for letter in seen} == {
        (seen[0].id, b"kept", "why", seen[0].at)
    }
    deliveries = [letter.headers.get("x-delivery-count", 0) for letter in seen]
    assert max(deliveries) == RENEWED_AFTER  # then a copy takes its place


def test_a_choice_must_be_made_and_a_broker_that_is_away_is_one_line(
    rabbitmq_url: str, sync: Sync
) -> None:
    for command in ("replay", "drop"):
        assert sync("dead-letters", command, DATABASE_URL=DATABASE_URL).code == 2
        assert sync("dead-letters", command, "a", "--all", DATABASE_URL=DATABASE_URL).code == 2
    undeclared = sync("dead-letters", "show", RABBITMQ_URL=rabbitmq_url, DATABASE_URL=DATABASE_URL)
    assert (undeclared.code, undeclared.err.count("\n")) == (1, 1)
    assert undeclared.err.startswith(str(QueueUnavailable()))
    without = sync("dead-letters", "show", DATABASE_URL=DATABASE_URL)
    assert (without.code, without.out) == (0, "")
