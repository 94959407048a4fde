from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain import Fetched
from shared.ledger.callbacks import CallbackClaim, CallbackResult, CallbackState
from shared.ledger.database import Database
from shared.ledger.ledger import QUERIES, Ledger
from shared.ledger.rows import NewObject, Outcome, Settlement
from tests.helpers.servers import connect

COPY = Fetched(size=5, sha256=hashlib.sha256(b"bytes").digest(), etag="e1", verified_by="md5")
SQL = Callable[..., list[tuple[Any, ...]]]
_numbers = itertools.count()


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(Database(database_url, *QUERIES), with_callbacks=True)
    yield ledger
    ledger.close()


@pytest.fixture
def execute(database_url: str) -> Iterator[SQL]:
    connection = connect(database_url)
    connection.autocommit = True

    def run(sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    yield run
    connection.close()


def end(ledger: Ledger, outcome: Outcome, name: str = "a.jpg", row_id: int | None = None) -> int:
    """Record an object, unless one is given, and let an attempt end with an outcome."""
    if row_id is None:
        checksum = hashlib.sha256(str(next(_numbers)).encode()).digest()
        new = NewObject("o", "r", name, "image/jpeg", checksum, "the-request")
        row_id = ledger.record(new, 0)
    assert row_id is not None
    (claim,) = ledger.claim([row_id], lease_seconds=60, max_attempts=8)
    reason = None if outcome is Outcome.SYNCED else "S3 says no"
    fetched = COPY if outcome is Outcome.SYNCED else None
    ledger.settle([Settlement(claim, outcome, reason=reason, fetched=fetched)])
    return row_id


def claim(ledger: Ledger, most: int = 100, *, probe: bool = False) -> list[CallbackClaim]:
    return ledger.callbacks.claim(most, 60, probe=probe)


def test_an_outcome_is_recorded_with_the_object_as_it_was(ledger: Ledger) -> None:
    synced = end(ledger, Outcome.SYNCED, 'Ä "quoted".jpg')
    failed = end(ledger, Outcome.FAILED, "b.jpg")
    end(ledger, Outcome.RETRY, "c.jpg")
    assert [c.event for c in ledger.callbacks.of(synced)] == ["object.synced"]
    assert [c.event for c in ledger.callbacks.of(failed)] == ["object.failed"]
    first, second = claim(ledger)
    data = json.loads(first.data)
    assert datetime.fromisoformat(data.pop("created_at")) <= datetime.fromisoformat(
        data.pop("synced_at")
    )
    assert data == {
        "signature": hashlib.sha256(str(next(_numbers) - 3).encode()).hexdigest(),
        "oeid": "o",
        "ref_id": "r",
        "file_name": 'Ä "quoted".jpg',
        "file_type": "image/jpeg",
        "request_id": "the-request",
        "state": "synced",
        "attempts": 1,
        "reason": None,
        "size_bytes": 5,
        "sha256": COPY.sha256.hex(),
        "verified_by": "md5",
        "failed_at": None,
    }
    data = json.loads(second.data)
    assert (data["state"], data["reason"], data["sha256"]) == ("failed", "S3 says no", None)
    assert data["failed_at"].endswith("Z")


def test_nothing_is_recorded_where_nobody_is_to_be_told(database_url: str) -> None:
    ledger = Ledger.at(database_url)
    row_id = end(ledger, Outcome.SYNCED)
    assert ledger.callbacks.of(row_id) == []
    ledger.close()


def test_an_object_whose_workers_died_is_told_of_too(ledger: Ledger, execute: SQL) -> None:
    row_id = end(ledger, Outcome.RETRY)
    execute("UPDATE file_sync SET attempts = 8, deaths = 1, leased_until = now() - interval '1 s'")
    assert row_id in ledger.fail_exhausted(8)
    (callback,) = ledger.callbacks.of(row_id)
    assert callback.event == "object.failed"
    assert "stopped without an answer" in json.loads(claim(ledger)[0].data)["reason"]


def test_callbacks_of_one_name_are_claimed_in_order(ledger: Ledger, execute: SQL) -> None:
    first = end(ledger, Outcome.FAILED)
    second = end(ledger, Outcome.SYNCED)
    other = end(ledger, Outcome.SYNCED, "other.jpg")
    execute(
        "UPDATE callback SET next_attempt_at = now() - interval '1 h' WHERE file_sync_id = %s",
        second,
    )
    claims = claim(ledger)
    ids = {row_id: ledger.callbacks.of(row_id)[0].id for row_id in (first, second, other)}
    assert [c.id for c in claims] == [ids[first], ids[other]]
    assert claim(ledger) == []
    ledger.callbacks.settle([CallbackResult(claims[0], reason="503", delay=3600)])
    assert claim(ledger) == []  # the first one of the name is to come first, however long it takes
    ledger.callbacks.hasten()
    (again,) = claim(ledger)
    assert (again.id, again.message_id) == (ids[first], claims[0].message_id)
    assert again.counted_attempts == 2
    ledger.callbacks.settle([CallbackResult(again)])
    assert [c.id for c in claim(ledger)] == [ids[second]]


def test_a_late_process_changes_nothing(ledger: Ledger, execute: SQL) -> None:
    row_id = end(ledger, Outcome.SYNCED)
    (late,) = claim(ledger)
    execute("UPDATE callback SET leased_until = now() - interval '1 s'")
    (held,) = claim(ledger)
    assert ledger.callbacks.settle([CallbackResult(late)]) == {}
    ledger.callbacks.give_back([late])
    assert claim(ledger) == []
    assert ledger.callbacks.settle([CallbackResult(held)]) == {held.id: CallbackState.DELIVERED}
    (callback,) = ledger.callbacks.of(row_id)
    assert (callback.state, callback.reason) == (CallbackState.DELIVERED, None)
    assert callback.delivered_at is not None


def test_what_does_not_count_uses_up_no_attempt(ledger: Ledger) -> None:
    end(ledger, Outcome.SYNCED)
    (probe,) = claim(ledger, probe=True)
    ledger.callbacks.settle([CallbackResult(probe, reason="away", delay=5, counted=False)])
    (again,) = claim(ledger, probe=True)  # though it is not due
    assert again.counted_attempts == 1
    ledger.callbacks.give_back([again])
    (once_more,) = claim(ledger)
    assert once_more.counted_attempts == 1


def test_a_probe_is_one_that_was_refused_least(ledger: Ledger) -> None:
    end(ledger, Outcome.SYNCED, "refused.jpg")
    (refused,) = claim(ledger)
    ledger.callbacks.settle([CallbackResult(refused, reason="500", delay=0)])
    fresh = end(ledger, Outcome.SYNCED, "fresh.jpg")
    (probe,) = claim(ledger, 1, probe=True)
    assert probe.id == ledger.callbacks.of(fresh)[0].id


def test_it_is_given_up_after_a_day_and_may_be_replayed(ledger: Ledger, execute: SQL) -> None:
    attempted, waiting = end(ledger, Outcome.SYNCED, "1"), end(ledger, Outcome.SYNCED, "2")
    (first, second) = claim(ledger)
    ledger.callbacks.give_back([second])
    execute("UPDATE callback SET give_up_at = now() + interval '1 h'")
    states = ledger.callbacks.settle([CallbackResult(first, reason="500", delay=3601)])
    assert states == {first.id: CallbackState.UNDELIVERED}
    execute("UPDATE callback SET give_up_at = now()")
    assert ledger.callbacks.give_up() == 1
    counts = ledger.callbacks.counts()
    assert (counts.pending, counts.undelivered, counts.oldest_seconds) == (0, 2, None)
    newest, oldest = ledger.callbacks.list(CallbackState.UNDELIVERED, 10)
    assert (newest.row_id, oldest.row_id) == (waiting, attempted)
    assert (oldest.reason, newest.reason) == ("500", "The receiver did not answer for a day")
    assert ledger.callbacks.list(CallbackState.UNDELIVERED, 10, newest.id) == [oldest]
    assert ledger.callbacks.replay(row_ids=[attempted]) == 1
    assert ledger.callbacks.replay(since=datetime.now(UTC) + timedelta(hours=1)) == 0
    assert ledger.callbacks.replay() == 1
    assert ledger.callbacks.replay() == 0
    claims = claim(ledger)
    assert [(c.message_id, c.counted_attempts) for c in claims] == [
        (first.message_id, 1),
        (second.message_id, 1),
    ]
    ledger.callbacks.settle([CallbackResult(c) for c in claims])
    assert ledger.callbacks.replay(ids=[first.id]) == 0
    assert ledger.callbacks.replay(ids=[first.id], undelivered=False) == 1
    counts = ledger.callbacks.counts()
    assert (counts.pending, counts.undelivered) == (1, 0)
    assert counts.oldest_seconds is not None
