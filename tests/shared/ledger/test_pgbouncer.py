"""The ledger through a pooler in transaction mode, which the documentation recommends."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from shared.domain import Fetched
from shared.errors import LedgerUnavailable, MigrationFailed
from shared.ledger.ledger import Ledger, Placing
from shared.ledger.migrate import LOCK, MIGRATIONS, migrate
from shared.ledger.roles import acting_as
from shared.ledger.rows import NewObject, Outcome, Settlement
from tests.helpers.paths import ROOT
from tests.helpers.pgbouncer import PgBouncer
from tests.helpers.servers import execute, free_port
from tests.helpers.waiting import until

NEWEST = sorted(file.stem for file in MIGRATIONS.glob("*.sql") if ".rollback" not in file.name)
CLIENTS = 8
"""More than the pool has connections, so that one server connection serves several clients."""

EACH = 20
COPY = Fetched(size=5, sha256=hashlib.sha256(b"bytes").digest(), etag="e1", verified_by="md5")


@pytest.fixture
def pooled(
    tmp_path: Path, postgres_url: str, start_server: Callable[[PgBouncer], PgBouncer]
) -> PgBouncer:
    return start_server(PgBouncer(tmp_path / "pgbouncer", free_port(), postgres_url))


@pytest.fixture
def ledgers(pooled: PgBouncer) -> Iterator[list[Ledger]]:
    migrate(pooled.url)
    ledgers = [Ledger.at(pooled.url) for _ in range(CLIENTS)]
    yield ledgers
    for ledger in ledgers:
        ledger.close()


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_migrations_run_together_and_again(pooled: PgBouncer, postgres_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(migrate, [pooled.url] * 4))
    assert sorted(applied) == [[], [], [], NEWEST]
    assert migrate(pooled.url) == []
    # Nothing of it stays on a connection to the server.
    held = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {LOCK}"
    assert query(postgres_url, held) == [(0,)]


def nothing_is_missing(url: str) -> bool:
    try:
        return migrate(url) == []
    except LedgerUnavailable:
        return False


def test_a_lock_that_an_earlier_release_left_is_named(pooled: PgBouncer, postgres_url: str) -> None:
    migrate(pooled.url)
    # In a session's lock the pooler keeps what its client has long forgotten.
    with closing(psycopg2.connect(pooled.url)) as client, client.cursor() as cursor:
        client.autocommit = True
        cursor.execute(f"SELECT pg_advisory_lock({LOCK}), pg_backend_pid()")
        pid = cursor.fetchall()[0][1]
    with pytest.raises(MigrationFailed) as caught:
        migrate(postgres_url, lock_seconds=0.2)
    advice = str(caught.value)
    execute(postgres_url, f"SELECT pg_terminate_backend({pid})")
    assert f"SELECT pg_terminate_backend({pid})" in advice
    until(lambda: nothing_is_missing(pooled.url))  # once the pooler knows that it lost a server


def work(numbered: tuple[int, Ledger]) -> list[bool]:
    """Take objects through everything that the ledger does, beside other clients."""
    client, ledger = numbered
    return [_work(ledger, client * EACH + number) for number in range(EACH)]


def _work(ledger: Ledger, number: int) -> bool:
    checksum = hashlib.sha256(str(number).encode()).digest()
    new = NewObject("ö", "r", f"{number % 7}/{number}.jpg", "image/jpeg", checksum, f"q{number}")
    row_id = ledger.record(new, due_in=0)
    assert row_id is not None
    assert ledger.record(new, due_in=0) is None  # the same request again is a duplicate
    claims = ledger.claim([row_id], lease_seconds=60, max_attempts=8)
    if not claims:
        return False
    assert ledger.extend(claims, 60) == {row_id}
    if number % 3 == 0:
        outcome = Settlement(claims[0], Outcome.FAILED, "refused")
        assert set(ledger.settle([outcome])) == {row_id}
        return True
    with ledger.placing() as placing:
        assert placing.hold([(claims[0], "e1")]) == {row_id: False}
    done = Settlement(claims[0], Outcome.SYNCED, fetched=COPY)
    assert set(ledger.settle([done])) == {row_id}
    return True


def test_several_clients_do_all_that_the_ledger_does(
    ledgers: list[Ledger], pooled: PgBouncer, postgres_url: str
) -> None:
    with ThreadPoolExecutor(CLIENTS) as threads:
        done = [ok for each in threads.map(work, enumerate(ledgers)) for ok in each]
    assert all(done)
    counts = ledgers[0].counts()
    total = CLIENTS * EACH
    failed = len(range(0, total, 3))
    assert (counts.synced, counts.failed, counts.queued) == (total - failed, failed, 0)
    assert ledgers[0].take_due(100, 60) == []
    with pytest.raises(ValueError, match="mine"), ledgers[0].placing():
        raise ValueError("mine")
    # Few connections served many clients, and nothing was prepared or set on one of them.
    with closing(psycopg2.connect(pooled.admin_url)) as console, console.cursor() as cursor:
        console.autocommit = True
        cursor.execute("SHOW SERVERS")
        assert len(cursor.fetchall()) <= 4
    assert query(pooled.url, "SELECT count(*) FROM pg_prepared_statements") == [(0,)]
    assert query(postgres_url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [
        (0,)
    ]


def test_a_pooler_cannot_change_roles(ledgers: list[Ledger], pooled: PgBouncer) -> None:
    assert ledgers
    with closing(psycopg2.connect(pooled.url)), pytest.raises(psycopg2.OperationalError) as caught:
        psycopg2.connect(acting_as(pooled.url, "stats"))
    assert "unsupported startup parameter" in str(caught.value)


def test_no_statement_keeps_a_connection_of_rds_proxy_but_one() -> None:
    """After AWS, "Avoiding pinning an RDS Proxy", conditions for PostgreSQL."""
    pins = re.compile(
        r"(?i)\b(set_config|pg_(try_)?advisory_lock|nextval|setval|currval|lastval|pg_notify)\b"
        r"|^\s*(SET|RESET|PREPARE|EXECUTE|DEALLOCATE|DISCARD|DECLARE|LISTEN|LOAD|CREATE|LOCK)\s",
        re.MULTILINE,
    )
    files = [file for folder in ("shared", "functions") for file in (ROOT / folder).rglob("*.sql")]
    statements = {
        name: body
        for file in files
        if file.parent != MIGRATIONS and file.name != "roles.sql"
        for name, body in re.findall(
            r"-- name: (\w+)\(.*\n((?:(?!-- name:).*\n?)*)", file.read_text()
        )
    }
    assert len(statements) > 100
    found = {
        name
        for name, body in statements.items()
        if pins.search(re.sub(r"--.*|'[^']*'", "", re.sub(r"(?m)^ +SET ", " ", body)))
    }
    assert found == {"free_if_frozen"}


class Steps:
    """A transaction that writes down which statements are asked for."""

    def __init__(self, *, freed: bool) -> None:
        self.names: list[str] = []
        self._freed = freed

    def __call__(self, name: str, /, **_: object) -> list[Any]:
        self.names.append(name)
        return [SimpleNamespace(freed_if_frozen=self._freed)] if name == "lock_names" else []


@pytest.mark.parametrize("freed", [True, False])
def test_a_role_that_is_freed_if_frozen_sets_nothing(freed: bool) -> None:
    steps = Steps(freed=freed)
    Placing(steps).hold([])
    assert ("free_if_frozen" in steps.names) is not freed


def test_text_of_any_script_passes_whatever_the_environment_says(
    pooled: PgBouncer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    migrate(pooled.url)
    with closing(Ledger.at(pooled.url)) as ledger:
        new = NewObject("日本", "r", "Ω/ж.jpg", "image/jpeg", bytes(32), "q")
        row_id = ledger.record(new, due_in=0)
        assert row_id is not None
        (claim,) = ledger.claim([row_id], lease_seconds=60, max_attempts=8)
        assert claim.wanted.file_name == "Ω/ж.jpg"


def test_a_pooler_without_its_server_or_without_room_is_an_outage(
    tmp_path: Path,
    database_url: str,
    start_server: Callable[[PgBouncer], PgBouncer],
) -> None:
    head, _, tail = database_url.rpartition("@")
    nowhere = f"{head}@127.0.0.1:{free_port()}/{tail.partition('/')[2]}"
    away = start_server(PgBouncer(tmp_path / "away", free_port(), nowhere))
    full = start_server(PgBouncer(tmp_path / "full", free_port(), database_url, max_clients=1))
    missing = start_server(
        PgBouncer(tmp_path / "missing", free_port(), database_url.rpartition("/")[0] + "/none")
    )
    with closing(psycopg2.connect(full.url)):
        for pooler in (away, full, missing):
            with closing(Ledger.at(pooler.url)) as ledger, pytest.raises(LedgerUnavailable):
                ledger.ping()
