from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from functions.admin.records import QUERIES, Objects
from shared.domain import Fetched
from shared.ledger.database import Database
from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject, Outcome, Settlement
from tests.functions.admin.filled import FILL, ROWS
from tests.helpers.servers import execute


@pytest.fixture
def objects(database_url: str) -> Iterator[Objects]:
    execute(database_url, FILL)
    database = Database(database_url, QUERIES)
    yield Objects(database)
    database.close()


def test_types_and_reasons(objects: Objects) -> None:
    assert objects.file_types() == ["image/jpeg", "image/png"]
    assert objects.failure_reasons() == [("reason", ROWS // 3)]


def test_rates_are_counted_as_attempts_end(objects: Objects, database_url: str) -> None:
    ledger = Ledger.at(database_url)
    row_ids = [
        ledger.record(NewObject("o", "r", f"n{i}", "t/t", bytes([i] * 32), "q"), 60)
        for i in range(3)
    ]
    claims = ledger.claim([i for i in row_ids if i], lease_seconds=60, max_attempts=8)
    copy = Fetched(size=1, sha256=bytes(32), etag=None, verified_by="size")
    ledger.settle(
        [Settlement(claim, Outcome.SYNCED, fetched=copy) for claim in claims[:2]]
        + [Settlement(claims[2], Outcome.FAILED, "gone") for _ in range(1)]
    )
    ledger.retry([claims[2].wanted.row_id])
    ledger.close()
    now = datetime.now(UTC)
    rates = objects.rates(now - timedelta(minutes=10), timedelta(hours=1))
    assert sum(r.objects for r in rates if r.outcome == "synced") == 2
    assert sum(r.objects for r in rates if r.outcome == "failed") == 1
    assert {r.outcome for r in rates} == {"synced", "failed"}
    assert all(r.bucket < 9 for r in rates)
    assert objects.rates(now + timedelta(minutes=2), timedelta(hours=1)) == []


def test_a_minute_makes_room_for_the_one_two_days_later(
    objects: Objects, database_url: str
) -> None:
    attempt = "INSERT INTO sync_attempt (file_sync_id, attempt, outcome, started_at) VALUES "
    execute(database_url, f"{attempt} (1, 1, 'retry', now())")
    execute(
        database_url,
        "UPDATE sync_rate SET minute = minute - interval '2 days', objects = 1000",
        f"{attempt} (1, 2, 'retry', now()), (1, 3, 'retry', now())",
    )
    rates = objects.rates(datetime.now(UTC) - timedelta(days=3), timedelta(hours=1))
    assert {rate.objects for rate in rates} <= {1, 2, 1000}
    recent = objects.rates(datetime.now(UTC) - timedelta(hours=1), timedelta(hours=1))
    assert sum(rate.objects for rate in recent) == 2
