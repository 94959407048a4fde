from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.ledger.database import Database
from shared.ledger.heartbeats import SCHEDULER, WORKER, Heartbeats, this_process
from shared.ledger.ledger import QUERIES
from tests.helpers.servers import execute


@pytest.fixture
def heartbeats(database_url: str) -> Iterator[Heartbeats]:
    database = Database(database_url, *QUERIES)
    yield Heartbeats(database)
    database.close()


def test_a_process_is_alive_from_its_first_heartbeat_on(heartbeats: Heartbeats) -> None:
    assert heartbeats.all() == []
    heartbeats.beat(WORKER)
    (beat,) = heartbeats.all()
    assert (beat.component, beat.instance, beat.detail) == (WORKER, this_process(), None)
    assert 0 <= beat.age < 60


def test_the_last_heartbeat_counts(heartbeats: Heartbeats) -> None:
    heartbeats.beat(WORKER, "the disk hangs", "a:1")
    heartbeats.beat(SCHEDULER, None, "a:2")
    heartbeats.beat(WORKER, None, "a:1")
    found = {(beat.component, beat.instance): beat.detail for beat in heartbeats.all()}
    assert found == {(WORKER, "a:1"): None, (SCHEDULER, "a:2"): None}


def test_one_that_was_silent_for_a_day_is_forgotten(
    heartbeats: Heartbeats, database_url: str
) -> None:
    heartbeats.beat(WORKER, None, "a:1")
    execute(database_url, "UPDATE heartbeat SET beat_at = now() - interval '25 hours'")
    assert heartbeats.all() == []
    heartbeats.beat(WORKER, None, "a:2")
    execute(database_url, "UPDATE heartbeat SET beat_at = now()")
    assert [beat.instance for beat in heartbeats.all()] == ["a:2"]
