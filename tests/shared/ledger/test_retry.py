from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject, Outcome, Settlement


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


def history(url: str, row_id: int) -> list[tuple[int, str, str]]:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT attempt, outcome, reason FROM sync_attempt WHERE file_sync_id = %s "
            "ORDER BY finished_at, outcome",
            (row_id,),
        )
        return cursor.fetchall()


def test_a_failed_row_is_due_at_once_with_all_its_attempts(
    ledger: Ledger, database_url: str
) -> None:
    row_id = record(ledger, 1)
    fail(ledger, row_id, "gone")
    assert ledger.retry([row_id]) == {row_id}
    assert [m.row_id for m in ledger.take_due(10, 60)] == [row_id]
    (claim,) = ledger.claim([row_id], lease_seconds=60, max_attempts=1)
    assert (claim.wanted.attempt, claim.counted_attempts) == (2, 1)
    assert history(database_url, row_id) == [(1, "failed", "gone"), (1, "requeued", "gone")]


def test_only_failed_rows_are_retried(ledger: Ledger) -> None:
    queued, failed = record(ledger, 1), record(ledger, 2)
    fail(ledger, failed)
    assert ledger.retry([queued, failed, 99]) == {failed}
    assert ledger.retry([queued, failed]) == set()
    counts = ledger.counts()
    assert (counts.queued, counts.failed) == (2, 0)


def test_a_row_can_be_retried_again_and_again(ledger: Ledger, database_url: str) -> None:
    row_id = record(ledger, 1)
    for _ in range(3):
        fail(ledger, row_id)
        assert ledger.retry([row_id])
    assert [outcome for _, outcome, _ in history(database_url, row_id)].count("requeued") == 3


def test_failed_ids_come_in_portions_and_since_a_moment(ledger: Ledger) -> None:
    rows = [record(ledger, number) for number in range(5)]
    for row_id in rows[1:]:
        fail(ledger, row_id)
    assert ledger.failed_ids(None, 0, 3) == rows[1:4]
    assert ledger.failed_ids(None, rows[3], 3) == [rows[4]]
    now = datetime.now(UTC)
    assert ledger.failed_ids(now - timedelta(minutes=1), 0, 10) == rows[1:]
    assert ledger.failed_ids(now + timedelta(minutes=1), 0, 10) == []
