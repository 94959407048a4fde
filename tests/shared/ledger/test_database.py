from __future__ import annotations

import gc
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import errors

from local.servers.postgres import PostgresServer, embedded_binaries
from shared.errors import LedgerUnavailable
from shared.ledger.connection import StatementTimeout
from shared.ledger.database import Database
from shared.ledger.failures import is_unavailable
from shared.ledger.hosts import Hosts
from tests.helpers.freezing import frozen
from tests.helpers.servers import execute, free_port
from tests.helpers.tcp_proxy import TcpProxy
from tests.helpers.waiting import until

QUERIES = """
-- name: pid()
SELECT pg_backend_pid();
-- name: add(number)
INSERT INTO numbers (number) VALUES (:number) RETURNING number;
-- name: numbers()
SELECT number FROM numbers ORDER BY number;
-- name: sleep(seconds)
SELECT pg_sleep(:seconds);
-- name: fail(code)
DO $$ BEGIN PERFORM nextval('tries'); RAISE 'said' USING ERRCODE = :code; END $$;
-- name: tries()
SELECT last_value FROM tries;
-- name: limit()
SELECT current_setting('statement_timeout');
-- name: wrong()
SELECT nothing FROM nowhere;
"""
SECONDS = 2.0
"""Short, and yet longer than any statement here takes on a busy machine."""


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    file = tmp_path / "queries.sql"
    file.write_text(QUERIES)
    return file


@pytest.fixture
def url(postgres_url: str) -> str:
    execute(
        postgres_url,
        "CREATE TABLE numbers (number integer PRIMARY KEY)",
        "CREATE SEQUENCE tries",  # a rollback leaves it as it is
    )
    return postgres_url


@pytest.fixture
def database(url: str, queries: Path) -> Iterator[Database]:
    database = Database(url, queries, statement_seconds=SECONDS)
    yield database
    database.close()


def pid(database: Database) -> int:
    number: int = database.run("pid")[0][0]
    return number


def numbers(database: Database) -> list[int]:
    return [row[0] for row in database.run("numbers")]


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def kill(url: str, backend: int) -> None:
    """End a connection from the server's side, as a restart does."""
    execute(url, f"SELECT pg_terminate_backend({backend})")
    until(lambda: not alive(url, backend))


def alive(url: str, backend: int) -> bool:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_stat_activity WHERE pid = %s", (backend,))
            return cursor.rowcount > 0
    finally:
        connection.close()


def test_nothing_connects_before_the_first_statement(queries: Path) -> None:
    Database("postgresql://nobody@127.0.0.1:1/nothing", queries).close()


def test_a_connection_is_kept_for_whichever_thread_comes_next(database: Database) -> None:
    kept = pid(database)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(pid, database).result() == kept
    assert pid(database) == kept


def test_threads_have_connections_of_their_own_while_they_use_them(database: Database) -> None:
    with database.transaction() as step, ThreadPoolExecutor(1) as other:
        mine = step("pid")[0][0]
        assert other.submit(pid, database).result() != mine
        assert step("pid")[0][0] == mine


def test_connections_that_broke_together_cost_one_retry_together(
    database: Database, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with database.transaction() as one, database.transaction() as other:
        old = {one("pid")[0][0], other("pid")[0][0]}
    for backend in old:
        kill(url, backend)
    assert pid(database) not in old
    assert len(caplog.records) == 1


def test_a_statement_is_committed_when_it_returns(database: Database, url: str) -> None:
    assert database.run("add", number=1) == [(1,)]
    kill(url, pid(database))
    assert numbers(database) == [1]


def test_nothing_is_set_on_a_connection(database: Database) -> None:
    # RDS Proxy would pin it (Amazon RDS user guide, "Avoiding pinning an RDS Proxy").
    assert database.run("limit") == [("0",)]


def test_a_closed_database_opens_again(database: Database) -> None:
    before = pid(database)
    database.close()
    database.close()
    assert pid(database) != before


def test_a_statement_after_a_broken_connection_works(database: Database, url: str) -> None:
    before = pid(database)
    kill(url, before)
    assert pid(database) != before


def test_a_transaction_after_a_broken_connection_works(database: Database, url: str) -> None:
    kill(url, pid(database))
    with database.transaction() as step:
        step("add", number=1)
    assert numbers(database) == [1]


def test_a_broken_connection_is_tried_once_more_and_not_for_ever(database: Database) -> None:
    pid(database)
    with pytest.raises(LedgerUnavailable):
        database.run("fail", code="57P01")
    assert database.run("tries") == [(2,)]


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://sync:wrong@{host}/postgres",
        "postgresql://sync@name.invalid/postgres",
        "postgresql://sync@127.0.0.1:{free}/postgres",
    ],
)
def test_without_a_connection_there_is_no_ledger(url: str, queries: Path, wrong: str) -> None:
    host = url.partition("@")[2].partition("/")[0]
    database = Database(wrong.format(host=host, free=free_port()), queries)
    with pytest.raises(LedgerUnavailable) as caught:
        pid(database)
    assert isinstance(caught.value.__cause__, psycopg2.Error)
    assert str(caught.value) == "PostgreSQL is unreachable"


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    url: str, queries: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with TcpProxy(url) as proxy:
        database = Database(proxy.url, queries)
        proxy.refuse()
        for _ in range(3):
            with pytest.raises(LedgerUnavailable):
                pid(database)
        proxy.accept()
        assert pid(database) == pid(database)
        database.close()
    logged = [r.getMessage() for r in caplog.records if r.name == "shared.ledger.database"]
    assert logged == ["PostgreSQL is unreachable", "PostgreSQL is reachable again"]


def test_a_database_that_does_not_exist_is_no_ledger(url: str, queries: Path) -> None:
    with pytest.raises(LedgerUnavailable):
        pid(Database(url.rpartition("/")[0] + "/nothing", queries))


def test_a_refused_connection_leaves_no_socket_to_the_garbage_collector(url: str) -> None:
    hosts = Hosts(url.rpartition("/")[0] + "/none")

    def connect() -> None:
        with pytest.raises(psycopg2.OperationalError, match="does not exist"):
            hosts.connect()

    connect()
    gc.disable()
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            connect()
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        gc.enable()


def test_a_server_that_takes_connections_but_never_answers_is_given_up(queries: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with at_most(10), pytest.raises(LedgerUnavailable) as caught:
            pid(Database(f"postgresql://sync@127.0.0.1:{port}/sync", queries))
    assert isinstance(caught.value.__cause__, StatementTimeout)


def test_a_statement_that_takes_too_long_is_given_up(database: Database) -> None:
    with at_most(10), pytest.raises(LedgerUnavailable) as caught:
        database.run("sleep", seconds=2 * SECONDS)
    assert isinstance(caught.value.__cause__, StatementTimeout)
    assert pid(database)


def test_a_frozen_server_is_given_up_and_taken_up_again(database: Database) -> None:
    backend = pid(database)
    with frozen(backend):
        # Not twice: the caller behind has a time limit of its own.
        with at_most(10), pytest.raises(LedgerUnavailable) as caught:
            numbers(database)
        assert isinstance(caught.value.__cause__, StatementTimeout)
        assert pid(database) != backend


def test_a_stopped_server_is_unreachable_at_once_and_back_after_its_start(
    tmp_path: Path, queries: Path, start_server: Callable[[PostgresServer], PostgresServer]
) -> None:
    server = start_server(
        PostgresServer(tmp_path / "own", free_port(), embedded_binaries(), options={"fsync": "off"})
    )
    database = Database(server.url, queries)
    before = pid(database)
    server.stop()
    with at_most(10), pytest.raises(LedgerUnavailable):
        pid(database)
    server.start()
    server.wait_ready()
    assert pid(database) != before
    server.stop()
    server.start()
    server.wait_ready()
    assert pid(database)
    database.close()


UNAVAILABLE = {
    "08000": "connection exception",
    "08001": "cannot establish",
    "08003": "connection does not exist",
    "08004": "server rejected the connection",
    "08006": "connection failure",
    "08P01": "protocol violation",
    "25006": "the server only reads, after a failover",
    "25P03": "idle in transaction for too long",
    "25P04": "transaction took too long",
    "28P01": "wrong password",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "lock not available",
    "57014": "statement cancelled by an operator's time limit",
    "57P01": "shutdown by an administrator",
    "57P02": "shutdown after a crash",
    "57P03": "cannot connect now",
    "57P05": "idle for too long",
    "58030": "input or output failed",
}
OURS = {
    "22001": "text too long",
    "22P02": "not a number",
    "23502": "null",
    "23503": "foreign key",
    "23505": "duplicate key",
    "23514": "check",
    "25P02": "an earlier statement failed",
    "42501": "no privilege",
    "42601": "syntax",
    "42703": "no such column",
    "42P01": "no such table",
    "0A000": "not supported",
    "P0001": "raised by a function",
    "XX000": "internal error",
}


def test_a_temporary_failure_means_unreachable(database: Database) -> None:
    for code in UNAVAILABLE:
        assert is_unavailable(errors.lookup(code)())
        with pytest.raises(LedgerUnavailable) as caught:
            database.run("fail", code=code)
        assert isinstance(caught.value.__cause__, errors.lookup(code))


def test_what_is_a_fault_of_the_program_passes_through(database: Database) -> None:
    backend = pid(database)
    for code in OURS:
        with pytest.raises(errors.lookup(code)):
            database.run("fail", code=code)
        assert pid(database) == backend


def test_every_error_of_psycopg2_is_one_or_the_other() -> None:
    assert is_unavailable(psycopg2.InterfaceError())
    assert is_unavailable(psycopg2.OperationalError())
    assert is_unavailable(StatementTimeout())
    for kind in (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.ProgrammingError):
        assert not is_unavailable(kind())
    assert not is_unavailable(psycopg2.InternalError())
    assert not is_unavailable(psycopg2.NotSupportedError())
    assert not is_unavailable(psycopg2.DatabaseError())


def test_a_transaction_is_committed_at_the_end_of_its_block(database: Database) -> None:
    with database.transaction() as step:
        step("add", number=1)
        step("add", number=2)
    assert numbers(database) == [1, 2]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_the_block_rolls_back_and_keeps_the_connection(
    database: Database, error: type[BaseException]
) -> None:
    backend = pid(database)
    with pytest.raises(error), database.transaction() as step:
        step("add", number=1)
        raise error
    assert numbers(database) == []
    assert pid(database) == backend


def test_an_error_in_a_statement_rolls_back_and_passes_through(database: Database) -> None:
    with pytest.raises(errors.UndefinedTable), database.transaction() as step:
        step("add", number=1)
        step("wrong")
    assert numbers(database) == []


def test_a_transaction_whose_error_was_swallowed_is_not_taken_for_committed(
    database: Database,
) -> None:
    with pytest.raises(LedgerUnavailable, match="rolled back"), database.transaction() as step:
        step("add", number=1)
        with pytest.raises(errors.UndefinedTable):
            step("wrong")
    assert numbers(database) == []


def test_a_connection_lost_within_a_transaction_loses_all_of_it(
    database: Database, url: str
) -> None:
    with pytest.raises(LedgerUnavailable), database.transaction() as step:
        step("add", number=1)
        kill(url, step("pid")[0][0])
        step("add", number=2)
    assert numbers(database) == []


def test_no_statement_of_a_transaction_runs_outside_of_it(database: Database, url: str) -> None:
    with pytest.raises(LedgerUnavailable), database.transaction() as step:
        kill(url, step("pid")[0][0])
        for number in (1, 2):
            with pytest.raises(LedgerUnavailable):
                step("add", number=number)
    assert numbers(database) == []


def test_a_connection_lost_before_the_commit_is_an_error(database: Database, url: str) -> None:
    with pytest.raises(LedgerUnavailable), database.transaction() as step:
        step("add", number=1)
        kill(url, step("pid")[0][0])
    assert numbers(database) == []


def test_other_connections_of_the_process_wait_as_long_as_they_need(
    database: Database, url: str
) -> None:
    pid(database)
    # Longer than the three seconds that making a connection may take.
    execute(url, "SELECT pg_sleep(3.5)")


def test_every_result_of_a_statement_has_the_names_of_its_columns(
    database_url: str, tmp_path: Path
) -> None:
    queries = tmp_path / "queries.sql"
    queries.write_text(
        "-- name: two(most)\nSELECT n AS number, -n AS opposite FROM generate_series(1, :most) n;\n"
        "-- name: one(most)\nSELECT n AS other FROM generate_series(1, :most) n;\n"
    )
    with closing(Database(database_url, queries)) as database:
        for most in (0, 1, 2):
            rows = database.run("two", most=most)
            assert [(row.number, row.opposite) for row in rows] == [(1, -1), (2, -2)][:most]
            assert [row.other for row in database.run("one", most=most)] == [1, 2][:most]
        with database.transaction() as step:
            assert step("two", most=1) == [(1, -1)]
            assert step("two", most=1)[0].opposite == -1
