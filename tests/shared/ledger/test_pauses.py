from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject
from shared.ledger.selection import Selection
from tests.helpers.servers import execute

PAST = "UPDATE pause SET probe_at = now() - interval '1 s'"


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger.at(database_url)
    yield ledger
    ledger.close()


def test_a_pause_is_opened_once(ledger: Ledger) -> None:
    assert ledger.pauses.open("source", "first")
    assert not ledger.pauses.open("source", "second")
    assert [pause.reason for pause in ledger.pauses.all()] == ["first"]


def test_a_probe_is_one_worker_s(ledger: Ledger, database_url: str) -> None:
    ledger.pauses.open("source", "away")
    assert not ledger.pauses.take_probe("source")
    execute(database_url, PAST)
    assert [ledger.pauses.take_probe("source") for _ in range(3)] == [True, False, False]


def test_the_time_between_probes_grows_to_eight_seconds(ledger: Ledger, database_url: str) -> None:
    ledger.pauses.open("source", "away")
    waits = [ledger.pauses.all()[0].probe_in]
    for _ in range(5):
        execute(database_url, PAST)
        ledger.pauses.take_probe("source")
        ledger.pauses.postpone("source", "still away")
        waits.append(ledger.pauses.all()[0].probe_in)
    assert [round(wait) for wait in waits] == [1, 2, 4, 8, 8, 8]
    assert ledger.pauses.all()[0].reason == "still away"


def test_a_person_s_retry_lets_the_next_probe_begin_at_once(
    ledger: Ledger, database_url: str
) -> None:
    row_id = ledger.record(NewObject("o", "r", "a", "t/t", bytes(32), "q"), 0)
    assert row_id is not None
    execute(
        database_url,
        "UPDATE file_sync SET state = 'failed', last_error = 'away', failed_at = now()",
    )
    ledger.pauses.open("source", "away")
    ledger.actions.perform(Action.RETRY, Selection(ids=(row_id,)), "test")
    assert ledger.pauses.take_probe("source")


def test_a_pause_is_ended_once(ledger: Ledger) -> None:
    ledger.pauses.open("source", "away")
    seconds = ledger.pauses.end("source")
    assert seconds is not None
    assert 0 <= seconds < 60
    assert ledger.pauses.end("source") is None


def test_pauses_of_machines_that_are_gone_are_not_shown_and_forgotten(
    ledger: Ledger, database_url: str
) -> None:
    ledger.pauses.open("storage:gone", "full")
    execute(database_url, "UPDATE pause SET probe_at = now() - interval '2 days'")
    assert ledger.pauses.all() == []
    assert [pause.part for pause in ledger.pauses.of(["storage:gone"])] == ["storage:gone"]
    ledger.pauses.open("storage:here", "full")
    assert ledger.pauses.of(["storage:gone"]) == []
