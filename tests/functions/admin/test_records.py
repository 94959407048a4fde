from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.admin.records import QUERIES, Records
from shared.domain import Fetched
from shared.ledger import migrate
from shared.ledger.actions import Action
from shared.ledger.database import Database
from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject, Outcome, Settlement, State
from shared.ledger.selection import Selection
from tests.functions.admin.filled import FILL, ROWS
from tests.helpers.servers import execute


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    execute(database_url, FILL)
    database = Database(database_url, QUERIES)
    yield Records(database)
    database.close()


def test_every_column_of_an_object_becomes_the_field_of_its_name(
    records: Records, database_url: str
) -> None:
    execute(
        database_url,
        "UPDATE file_sync SET etag = 'etag', claimed_at = created_at WHERE id = 7",
    )
    found = records.object(7)
    assert found is not None
    assert (found.id, found.oeid, found.ref_id, found.file_name) == (
        7, "oeid-2", "ref-7", "file_049"
    )  # fmt: skip
    assert (found.state, found.attempts, found.size_bytes) == (State.SYNCED, 3, 2)
    assert found.sha256 == hashlib.sha256(b"x").digest()
    assert found.payload_checksum == hashlib.sha256(b"7").digest()
    assert (found.etag, found.file_path, found.last_error) == ("etag", "x", "reason: 7")
    assert found.claimed_at == found.created_at == found.queued_at
    assert found.leased_until is None
    assert records.object(ROWS + 1) is None


def test_files_come_in_the_order_of_their_ids(records: Records) -> None:
    found = records.files([8, 7, ROWS + 1])
    assert [(file.id, file.state) for file in found] == [(7, State.SYNCED), (8, State.FAILED)]


def test_types_of_files(records: Records) -> None:
    assert records.file_types() == ["image/jpeg", "image/png"]


def test_rates_are_counted_as_attempts_end(records: Records, database_url: str) -> None:
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
    failed = Selection(ids=(claims[2].wanted.row_id,))
    ledger.actions.perform(Action.RETRY, failed, "test")
    ledger.close()
    now = datetime.now(UTC)
    for step in (timedelta(minutes=15), timedelta(hours=2)):
        rates = records.rates(now - 2 * timedelta(hours=2), step)
        assert sum(r.objects for r in rates if r.outcome == "synced") == 2
        assert sum(r.objects for r in rates if r.outcome == "failed") == 1
        assert {r.outcome for r in rates} == {"synced", "failed"}
        assert all(r.bucket < 9 for r in rates)
        assert records.rates(now + timedelta(hours=2), step) == []


@pytest.mark.parametrize(
    ("table", "column", "days", "step"),
    [
        ("sync_rate", "minute", 2, timedelta(minutes=15)),
        ("sync_rate_hour", "hour", 8, timedelta(hours=1)),
    ],
)
def test_a_time_makes_room_for_the_one_a_round_of_the_ring_later(
    records: Records, database_url: str, table: str, column: str, days: int, step: timedelta
) -> None:
    attempt = "INSERT INTO sync_attempt (file_sync_id, attempt, outcome, started_at) VALUES "
    execute(database_url, f"{attempt} (1, 1, 'retry', now())")
    execute(
        database_url,
        f"UPDATE {table} SET {column} = {column} - interval '{days} days', objects = 1000",
        f"{attempt} (1, 2, 'retry', now()), (1, 3, 'retry', now())",
    )
    rates = records.rates(datetime.now(UTC) - timedelta(days=days + 1), step)
    assert {rate.objects for rate in rates} <= {1, 2, 1000}
    recent = records.rates(datetime.now(UTC) - timedelta(hours=2), step)
    assert sum(rate.objects for rate in recent) == 2


def test_the_hours_begin_with_the_minutes_that_were_kept(database_url: str) -> None:
    """An upgrade: the earlier version has counted by minutes alone."""
    migrations = Path(migrate.__file__).with_name("migrations")
    execute(database_url, (migrations / "0009.hours.rollback.sql").read_text())
    execute(
        database_url,
        "INSERT INTO sync_rate SELECT date_trunc('minute', now()) - m * interval '1 min', m,"
        " 'synced', 3, 1, 5 FROM generate_series(0, 150) AS m",
        (migrations / "0009.hours.sql").read_text(),
    )
    database = Database(database_url, QUERIES)
    rates = Records(database).rates(datetime.now(UTC) - timedelta(days=2), timedelta(hours=1))
    database.close()
    assert sum(rate.objects for rate in rates) == 5 * 151
