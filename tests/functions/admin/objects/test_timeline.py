from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.admin.objects.timeline import FIRST, FOLDED, LAST, Entry, folded, timeline
from functions.admin.records import Attempt, ObjectDetails
from shared.ledger.callbacks import Callback, CallbackState
from shared.ledger.rows import State

T0 = datetime(2026, 11, 29, 6, 0, tzinfo=UTC)
OBJECT = ObjectDetails(
    id=1, oeid="o", ref_id="r", file_name="a.jpg", file_type="image/jpeg",
    payload_checksum=bytes(32), request_id="q", state=State.SYNCED, attempts=2,
    attempts_forgiven=0, next_attempt_at=T0, due_at=T0, leased_until=None, claimed_at=T0,
    last_error=None, created_at=T0, queued_at=T0, synced_at=None, file_path="a.jpg",
    size_bytes=1, sha256=bytes(32), etag=None, verified_by=None, verification=None,
    checked_at=None, origin="request", failed_at=None, verification_requested_at=None,
)  # fmt: skip


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def attempt(number: int, outcome: str, ended: float, reason: str | None = None) -> Attempt:
    return Attempt(number, outcome, reason, at(ended - 0.5), at(ended), None)


def action(name: str, when: float, reason: str | None = None) -> Attempt:
    return Attempt(None, name, reason, at(when), at(when), "admin: jane")


def titles(details: ObjectDetails, *attempts: Attempt, now: datetime = T0) -> list[str]:
    return [entry.title for entry in timeline(details, attempts, (), now)]


def test_what_happened_is_in_the_order_of_time_with_reason_duration_and_actor() -> None:
    history = [
        attempt(3, "synced", 30),
        action("retry", 20, "The object does not exist"),
        attempt(2, "failed", 12, "The object does not exist"),
        attempt(1, "retry", 2, "timed out"),
    ]
    callback = Callback(
        5,
        "msg",
        1,
        "a.jpg",
        "object.synced",
        CallbackState.DELIVERED,
        1,
        at(31),
        at(31),
        at(33),
        "",
    )
    verified = replace(OBJECT, synced_at=at(30), checked_at=at(60), verification="ok")
    entries = timeline(verified, history, [callback], at(99))
    assert [entry.title for entry in entries] == [
        "Request received and queued",
        "Attempt 1 failed, will be retried",
        "Attempt 2 failed",
        "Queued for retry",
        "Attempt 3 synced",
        "Callback object.synced recorded",
        "Callback object.synced delivered",
        "File verified: OK",
    ]
    assert entries[1] == Entry(
        at(2), "Attempt 1 failed, will be retried", "warn", "timed out", "", 0.5
    )
    assert (entries[3].actor, entries[3].detail) == (
        "admin: jane",
        "after: The object does not exist",
    )


@pytest.mark.parametrize(
    ("origin", "title"),
    [
        ("request", "Request received and queued"),
        ("reconcile", "Found in the bucket and queued"),
        ("s3_event", "Event received and queued"),
    ],
)
def test_it_begins_with_how_the_service_learned_of_the_object(origin: str, title: str) -> None:
    assert titles(replace(OBJECT, origin=origin))[0] == title


def test_the_outcome_remains_when_the_attempts_were_pruned() -> None:
    assert titles(replace(OBJECT, synced_at=at(3)))[1:] == ["Synced"]
    failed = replace(OBJECT, state=State.DISMISSED, failed_at=at(3), last_error="gone")
    assert titles(failed)[1:] == ["Failed"]
    assert titles(failed, attempt(1, "failed", 3))[1:] == ["Attempt 1 failed"]
    assert titles(failed, attempt(1, "lost", 3))[1:] == ["Attempt 1: the worker died"]


def test_what_is_due_next_comes_last() -> None:
    queued = replace(OBJECT, state=State.QUEUED, attempts=1, next_attempt_at=at(60))
    assert titles(queued, now=at(1))[-1] == "Attempt 2 due"
    assert titles(queued, now=at(61))[-1] == "Waiting for a worker since"
    running = replace(queued, attempts=2, leased_until=at(90), claimed_at=at(60))
    entry = timeline(running, (), (), at(63))[-1]
    assert (entry.title, entry.seconds, entry.upcoming) == ("Attempt 2 running", 3.0, True)
    requested = replace(OBJECT, verification_requested_at=at(5))
    assert titles(requested)[-1] == "Verification requested"


def test_a_long_timeline_is_folded_in_its_middle() -> None:
    entries = [Entry(at(n), str(n)) for n in range(FOLDED + 1)]
    first, hidden, last = folded(entries)
    assert (len(first), len(last)) == (FIRST, LAST)
    assert [*first, *hidden, *last] == entries
    assert folded(entries[1:]) == (entries[1:], (), ())
