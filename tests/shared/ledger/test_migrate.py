from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from shared.errors import LedgerUnavailable, MigrationFailed, SettingError
from shared.ledger.database import Database
from shared.ledger.hosts import check_encoding
from shared.ledger.ledger import QUERIES, Ledger
from shared.ledger.migrate import LOCK, MIGRATIONS, migrate
from tests.helpers.paths import ROOT
from tests.helpers.servers import execute, free_port, query
from tests.helpers.waiting import join, until

NEWEST = sorted(file.stem for file in MIGRATIONS.glob("*.sql") if ".rollback" not in file.name)


def relations(url: str) -> int:
    found: int = query(url, "SELECT count(*) FROM pg_class WHERE relname = 'file_sync'")[0][0]
    return found


def test_an_empty_database_becomes_a_ledger(postgres_url: str) -> None:
    assert migrate(postgres_url) == NEWEST
    ledger = Ledger.at(postgres_url)
    ledger.ping()
    ledger.close()


def test_nothing_is_applied_twice(postgres_url: str) -> None:
    migrate(postgres_url)
    assert migrate(postgres_url) == []


def test_both_names_of_the_scheme_are_taken(postgres_url: str) -> None:
    assert migrate(postgres_url.replace("postgresql://", "postgres://", 1)) == NEWEST


def test_of_several_that_start_together_one_applies(postgres_url: str) -> None:
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate(postgres_url))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    join(*threads)
    assert sorted(applied) == [[], [], NEWEST]


YOYO = """
CREATE TABLE _yoyo_migration (
  migration_hash varchar(64), migration_id varchar(255), applied_at_utc timestamp,
  PRIMARY KEY (migration_hash)
);
CREATE TABLE _yoyo_version (version int NOT NULL PRIMARY KEY, installed_at_utc timestamp);
INSERT INTO _yoyo_version VALUES (1, now()), (2, now());
CREATE TABLE yoyo_lock (locked int DEFAULT 1 PRIMARY KEY, ctime timestamp, pid int NOT NULL);
INSERT INTO yoyo_lock VALUES (1, now(), 999999);
"""
"""What earlier releases left in a database, the lock of one that was killed included."""


def mark(name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"INSERT INTO _yoyo_migration VALUES ('{digest}', '{name}', now())"


@pytest.mark.parametrize("applied", [1, 3, len(NEWEST)])
def test_a_database_of_an_earlier_release_gets_what_it_lacks(
    postgres_url: str, applied: int
) -> None:
    execute(postgres_url, YOYO)
    for name in NEWEST[:applied]:
        execute(postgres_url, (MIGRATIONS / f"{name}.sql").read_text(), mark(name))
    assert migrate(postgres_url) == NEWEST[applied:]
    assert migrate(postgres_url) == []


BEFORE_11 = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       attempts, leased_until, placed_at, synced_at, file_path, size_bytes, sha256)
SELECT 'o' || n, 'r' || n, 'x/' || n, 't/t', sha256(n::text::bytea), '', state::sync_state, 1,
       leased_until, placed_at, synced_at, '', 1, ''
  FROM (VALUES (1, 'queued', NULL, NULL, NULL), (2, 'queued', now(), NULL, NULL),
               (3, 'queued', now(), now(), NULL), (4, 'queued', NULL, now(), NULL),
               (5, 'synced', NULL, now(), now())
       ) AS t(n, state, leased_until, placed_at, synced_at);
"""
"""One never claimed, one claimed, one placed as well, one fetched again, one synced."""


def test_rows_from_before_have_their_place_among_those_of_their_name_and_are_found(
    postgres_url: str,
) -> None:
    older = [name for name in NEWEST if name < "0011"]
    execute(postgres_url, YOYO)
    for name in older:
        execute(postgres_url, (MIGRATIONS / f"{name}.sql").read_text(), mark(name))
    execute(postgres_url, BEFORE_11)
    assert migrate(postgres_url) == NEWEST[len(older) :]
    place = "coalesce(name_order, synced_at)"
    assert query(
        postgres_url, f"SELECT {place} = 'infinity', {place} = placed_at FROM file_sync ORDER BY id"
    ) == [(None, None), (True, None), (True, False), (False, True), (False, True)]
    assert query(
        postgres_url,
        "SELECT count(*) FROM search_key AS k JOIN file_sync AS f ON f.id = k.file_sync_id"
        " WHERE k.oeid = hashtextextended(f.oeid, 0) AND k.last_segment = f.id::text",
    ) == [(5,)]


def test_a_migration_without_its_mark_is_explained(postgres_url: str) -> None:
    # Earlier releases, ended between a migration and its mark, left this behind.
    execute(postgres_url, YOYO, (MIGRATIONS / f"{NEWEST[0]}.sql").read_text())
    with pytest.raises(MigrationFailed, match="already exists") as caught:
        migrate(postgres_url)
    execute(postgres_url, "INSERT" + str(caught.value).rpartition("INSERT")[2])
    assert migrate(postgres_url) == NEWEST[1:]


SLOW = """
CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(60); END $$;
CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION slow();
"""
KILL = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE wait_event = 'PgSleep' AND datname = current_database()
"""


def test_a_migration_that_was_ended_midway_has_done_nothing(postgres_url: str) -> None:
    execute(postgres_url, SLOW)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(migrate, postgres_url)
        until(lambda: query(postgres_url, KILL) == [(1,)])
        assert isinstance(running.exception(), LedgerUnavailable)
    assert relations(postgres_url) == 0
    execute(postgres_url, "DROP EVENT TRIGGER slow")
    assert migrate(postgres_url) == NEWEST


def test_a_migration_that_fails_names_itself_and_undoes_the_others(postgres_url: str) -> None:
    execute(postgres_url, "CREATE TABLE search_key ()")
    with pytest.raises(
        MigrationFailed, match=f'{NEWEST[-1]}: relation "search_key" already exists'
    ):
        migrate(postgres_url)
    assert relations(postgres_url) == 0


def test_a_lock_that_stays_is_named_within_the_limit(postgres_url: str) -> None:
    with closing(psycopg2.connect(postgres_url)) as other, other.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({LOCK})")
        other.commit()
        with pytest.raises(MigrationFailed) as caught:
            migrate(postgres_url, lock_seconds=0.2)
        assert f"process {other.info.backend_pid} (idle)" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert migrate(postgres_url) == NEWEST


def test_a_table_in_use_is_named_within_the_limit(postgres_url: str) -> None:
    migrate(postgres_url)
    execute(postgres_url, (MIGRATIONS / f"{NEWEST[-1]}.rollback.sql").read_text())
    execute(postgres_url, f"DELETE FROM _yoyo_migration WHERE migration_id = '{NEWEST[-1]}'")
    with closing(psycopg2.connect(postgres_url)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE action_object IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(MigrationFailed, match=f"{NEWEST[-1]}: .* in use"):
            migrate(postgres_url, lock_seconds=0.2)
    assert migrate(postgres_url) == NEWEST[-1:]


@pytest.fixture
def role(postgres_url: str) -> Iterator[tuple[str, str]]:
    """A role without rights, and the URL with which it logs in."""
    name = f"role_{uuid.uuid4().hex}"
    execute(postgres_url, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    yield name, f"postgresql://{name}:secret@{postgres_url.rpartition('@')[2]}"
    execute(postgres_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_a_missing_right_is_named(postgres_url: str, role: tuple[str, str]) -> None:
    name, url = role
    with pytest.raises(SettingError) as caught:
        migrate(url)
    right = f"GRANT CREATE ON SCHEMA public TO {name}"
    assert right in str(caught.value)
    assert "\n" not in str(caught.value)
    execute(postgres_url, right)
    assert migrate(url) == NEWEST


def test_a_role_that_owns_nothing_may_see_that_nothing_is_missing(
    postgres_url: str, role: tuple[str, str]
) -> None:
    name, url = role
    migrate(postgres_url)
    with pytest.raises(SettingError, match="permission denied for table _yoyo_migration"):
        migrate(url)
    execute(postgres_url, f"GRANT SELECT ON _yoyo_migration TO {name}")
    assert migrate(url) == []


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_text_is_refused(
    postgres_url: str, encoding: str
) -> None:
    name = f"test_{uuid.uuid4().hex}"
    other = postgres_url.rpartition("/")[0] + f"/{name}"
    execute(
        postgres_url,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'"
        " LOCALE_PROVIDER libc LOCALE 'C'",
    )
    line = (
        f"Invalid setting: DATABASE_URL: the database's encoding is {encoding};"
        " create it with ENCODING 'UTF8'"
    )
    try:
        for use in (migrate, check_encoding):
            with pytest.raises(SettingError) as caught:
                use(other)
            assert str(caught.value) == line
        with closing(Database(other, *QUERIES)) as database, pytest.raises(LedgerUnavailable):
            database.run("ping")
    finally:
        execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def test_several_hosts_are_tried_for_the_primary(postgres_url: str) -> None:
    head, _, tail = postgres_url.rpartition("@")
    address, _, name = tail.partition("/")
    url = f"{head}@127.0.0.1:{free_port()},{address}/{name}?target_session_attrs=read-write"
    assert migrate(url) == NEWEST


@pytest.mark.parametrize("name", ["default_transaction_isolation", "client_encoding"])
def test_the_databases_defaults_change_nothing(postgres_url: str, name: str) -> None:
    value = {"default_transaction_isolation": "serializable", "client_encoding": "LATIN1"}[name]
    database = postgres_url.rpartition("/")[2]
    execute(postgres_url, f"ALTER DATABASE {database} SET {name} = '{value}'")
    assert migrate(postgres_url) == NEWEST


def test_the_project_may_lie_in_a_folder_of_any_name(postgres_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "a clone [x] *?"
    shutil.copytree(ROOT / "shared", folder / "shared")
    program = "import sys; from shared.ledger.migrate import migrate; migrate(sys.argv[1])"
    command = [sys.executable, "-c", program, postgres_url]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    assert relations(postgres_url) == 1


def test_an_unreachable_database_is_one_line_without_the_password() -> None:
    url = f"postgresql://sync:secret@127.0.0.1:{free_port()}/sync"
    with pytest.raises(LedgerUnavailable, match="refused") as caught:
        migrate(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_migration_can_be_rolled_back(postgres_url: str) -> None:
    migrate(postgres_url)
    for name in reversed(NEWEST):
        execute(postgres_url, (MIGRATIONS / f"{name}.rollback.sql").read_text())
    assert relations(postgres_url) == 0
