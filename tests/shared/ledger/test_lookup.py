from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from shared.domain import Fetched
from shared.errors import LedgerUnavailable
from shared.idempotency import version_key
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.lookup import RequestStatus
from shared.ledger.rows import Claim, NewObject, Outcome, Settlement, State
from shared.ledger.selection import Selection
from tests.helpers.servers import execute, free_port, query

SIGNATURE = hashlib.sha256(b"a request").digest()
COPY = Fetched(size=5, sha256=hashlib.sha256(b"bytes").digest(), etag="e1", verified_by="md5")


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger.at(database_url)
    yield ledger
    ledger.close()


def record(ledger: Ledger, signature: bytes = SIGNATURE) -> int:
    row_id = ledger.record(NewObject("o", "r", "a.jpg", "image/jpeg", signature, "request-1"), 0)
    assert row_id is not None
    return row_id


def claim(ledger: Ledger, row_id: int) -> Claim:
    (claimed,) = ledger.claim([row_id], lease_seconds=60.0, max_attempts=8)
    return claimed


def find(ledger: Ledger, signature: bytes) -> RequestStatus | None:
    [status] = ledger.lookup.find_all([signature])
    return status


def found(ledger: Ledger, signature: bytes = SIGNATURE) -> RequestStatus:
    status = find(ledger, signature)
    assert status is not None
    return status


def test_a_new_request_is_queued_and_waits_for_nothing(ledger: Ledger) -> None:
    record(ledger)
    status = found(ledger)
    assert (status.state, status.retrying, status.attempts) == (State.QUEUED, False, 0)
    assert status.request_id == "request-1"
    assert (datetime.now(UTC) - status.created_at).total_seconds() < 60
    assert 0 <= status.seconds_waited < 60
    assert status.seconds_until <= 0
    nothing = (status.next_attempt_at, status.reason, status.size_bytes, status.sha256)
    assert nothing == (None, None, None, None)
    assert (status.verified_by, status.synced_at, status.failed_at) == (None, None, None)


def test_it_retries_once_an_attempt_has_ended_not_while_the_first_one_runs(
    ledger: Ledger,
) -> None:
    row_id = record(ledger)
    first = claim(ledger, row_id)
    status = found(ledger)
    assert (status.state, status.retrying, status.attempts) == (State.QUEUED, False, 1)
    ledger.settle([Settlement(first, Outcome.RETRY, reason="not now", delay=40.0)])
    status = found(ledger)
    assert (status.state, status.retrying, status.attempts) == (State.QUEUED, True, 1)
    assert status.reason == "not now"
    assert 30 < status.seconds_until <= 40
    assert status.next_attempt_at is not None
    assert status.next_attempt_at > datetime.now(UTC)


def test_while_a_later_attempt_runs_it_waits_for_none(ledger: Ledger) -> None:
    row_id = record(ledger)
    ledger.settle([Settlement(claim(ledger, row_id), Outcome.RETRY, reason="not now")])
    claim(ledger, row_id)
    status = found(ledger)
    assert (status.retrying, status.attempts, status.reason) == (True, 2, "not now")
    assert status.next_attempt_at is None


def test_a_synced_request_tells_of_its_file(ledger: Ledger) -> None:
    row_id = record(ledger)
    ledger.settle([Settlement(claim(ledger, row_id), Outcome.SYNCED, fetched=COPY)])
    status = found(ledger)
    assert (status.state, status.retrying, status.reason) == (State.SYNCED, False, None)
    assert (status.size_bytes, status.sha256, status.verified_by) == (5, COPY.sha256, "md5")
    assert status.synced_at is not None
    assert status.next_attempt_at is None


def perform(ledger: Ledger, action: Action, row_id: int) -> None:
    assert ledger.actions.perform(action, Selection(ids=(row_id,)), "test").objects == 1


def test_while_it_is_fetched_again_it_tells_of_the_file_that_is_in_place(ledger: Ledger) -> None:
    row_id = record(ledger)
    ledger.settle([Settlement(claim(ledger, row_id), Outcome.SYNCED, fetched=COPY)])
    perform(ledger, Action.FETCH_AGAIN, row_id)
    status = found(ledger)
    assert (status.state, status.retrying) == (State.QUEUED, True)
    assert (status.synced_at, status.reason) == (None, None)
    assert (status.size_bytes, status.sha256) == (5, COPY.sha256)


def test_a_failure_has_its_reason_and_time_until_a_person_retries_it(ledger: Ledger) -> None:
    row_id = record(ledger)
    ledger.settle([Settlement(claim(ledger, row_id), Outcome.FAILED, reason="no such object")])
    status = found(ledger)
    assert (status.state, status.reason) == (State.FAILED, "no such object")
    assert status.failed_at is not None
    perform(ledger, Action.DISMISS, row_id)
    assert found(ledger).state is State.DISMISSED
    assert found(ledger).failed_at == status.failed_at
    perform(ledger, Action.RESTORE, row_id)
    perform(ledger, Action.RETRY, row_id)
    status = found(ledger)
    assert (status.state, status.failed_at, status.reason) == (State.QUEUED, None, None)


def test_what_no_request_asked_for_is_not_found(ledger: Ledger, database_url: str) -> None:
    record(ledger)
    computed = version_key("bucket", "a.jpg", "etag", "e1")
    for origin in ("reconcile", "s3_event"):
        execute(
            database_url,
            "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum,"
            f" request_id, origin) VALUES ('', '', 'a.jpg', 't/t', '\\x{computed.hex()}', 'r',"
            f" '{origin}')",
        )
        assert find(ledger, computed) is None
        execute(database_url, "DELETE FROM file_sync WHERE origin <> 'request'")
    assert find(ledger, bytes(32)) is None


def test_several_that_are_asked_for_at_once_each_have_their_own(ledger: Ledger) -> None:
    signatures = [hashlib.sha256(bytes([number])).digest() for number in range(40)]
    for signature in signatures[::2]:
        record(ledger, signature)
    answers = ledger.lookup.find_all([*signatures, signatures[0]])
    assert [answer is not None for answer in answers] == [True, False] * 20 + [True]
    assert ledger.lookup.find_all([]) == []


def test_it_is_read_by_the_unique_index(database_url: str) -> None:
    execute(
        database_url,
        "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)"
        " SELECT 'o', 'r', 'n', 't/t', sha256(n::text::bytea), 'r' FROM generate_series(1, 5000) n",
        "ANALYZE file_sync",
    )
    plan = query(
        database_url,
        "EXPLAIN SELECT state FROM file_sync WHERE payload_checksum"
        " = ANY(ARRAY[sha256('1'::bytea), sha256('2'::bytea)]) AND origin = 'request'",
    )
    assert "file_sync_payload_checksum_key" in str(plan)


def test_without_postgresql_nothing_is_told() -> None:
    ledger = Ledger.at(f"postgresql://sync@127.0.0.1:{free_port()}/sync")
    with pytest.raises(LedgerUnavailable):
        find(ledger, SIGNATURE)
