from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject, Outcome, Settlement
from shared.ledger.selection import Selection


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger.at(database_url)
    yield ledger
    ledger.close()


def record(ledger: Ledger, number: int) -> int:
    new = NewObject("o", "r", f"{number}.jpg", "image/jpeg", number.to_bytes(32), "q")
    row_id = ledger.record(new, due_in=3600)
    assert row_id is not None
    return row_id


def fail(ledger: Ledger, row_id: int, reason: str = "gone") -> None:
    (claim,) = ledger.claim([row_id], lease_seconds=60, max_attempts=8)
    assert set(ledger.settle([Settlement(claim, Outcome.FAILED, reason)])) == {row_id}


def retry(ledger: Ledger, *row_ids: int) -> int:
    return ledger.actions.perform(Action.RETRY, Selection(ids=row_ids), "test").objects


def test_a_failed_row_is_due_at_once_with_all_its_attempts(ledger: Ledger) -> None:
    row_id = record(ledger, 1)
    fail(ledger, row_id)
    assert retry(ledger, row_id) == 1
    assert [m.row_id for m in ledger.take_due(10, 60)] == [row_id]
    (claim,) = ledger.claim([row_id], lease_seconds=60, max_attempts=1)
    assert (claim.wanted.attempt, claim.counted_attempts) == (2, 1)


def test_only_failed_rows_are_retried(ledger: Ledger) -> None:
    queued, failed = record(ledger, 1), record(ledger, 2)
    fail(ledger, failed)
    assert retry(ledger, queued, failed, 99) == 1
    assert retry(ledger, queued, failed) == 0
    counts = ledger.counts()
    assert (counts.queued, counts.failed) == (2, 0)


def test_a_row_can_be_retried_again_and_again(ledger: Ledger) -> None:
    row_id = record(ledger, 1)
    for _ in range(3):
        fail(ledger, row_id)
        assert retry(ledger, row_id) == 1
    assert [done.action for done in ledger.actions.on(row_id)] == [Action.RETRY] * 3
