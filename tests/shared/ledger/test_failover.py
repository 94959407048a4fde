"""A server that swallows what it is sent: after a failover, or frozen; with many callers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from local.servers.postgres import PostgresServer, embedded_binaries
from shared.errors import LedgerUnavailable, SettingError
from shared.ledger.connection import StatementTimeout, open_connection
from shared.ledger.database import Database
from shared.ledger.hosts import CONNECT_SECONDS, Hosts, each_host
from shared.ledger.ledger import QUERIES, Ledger
from shared.ledger.pool import GRACE_SECONDS, PAUSE_SECONDS
from shared.ledger.rows import NewObject
from tests.helpers.servers import execute, free_port
from tests.helpers.tcp_proxy import Condition, TcpProxy
from tests.helpers.waiting import until

SECONDS = 2.5
"""Of a statement."""

THREADS = 8
SLACK_SECONDS = 2.0
"""What a busy machine adds."""


@pytest.fixture
def proxy(database_url: str) -> Iterator[TcpProxy]:
    with TcpProxy(database_url) as proxy:
        yield proxy


@pytest.fixture
def database(proxy: TcpProxy) -> Iterator[Database]:
    with closing(Database(proxy.url, *QUERIES, statement_seconds=SECONDS)) as database:
        yield database


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def keep(database: Database, number: int) -> None:
    """Make the database keep several connections: its transactions all run at the same time."""
    together = threading.Barrier(number)

    def use(_: int) -> None:
        with database.transaction() as step:
            step("ping")
            together.wait(30)

    with ThreadPoolExecutor(number) as threads:
        list(threads.map(use, range(number)))


def calls(database: Database, seconds: float) -> list[tuple[float, float, bool]]:
    """Call from several threads for so long; return when each began and ended, and how."""
    start = time.monotonic()

    def call(_: int) -> list[tuple[float, float, bool]]:
        made = []
        while (began := time.monotonic() - start) < seconds:
            try:
                database.run("ping")
            except LedgerUnavailable:
                answered = False
            else:
                answered = True
            made.append((began, time.monotonic() - start, answered))
            time.sleep(0.02)
        return made

    with ThreadPoolExecutor(THREADS) as threads:
        return [item for made in threads.map(call, range(THREADS)) for item in made]


def test_kept_connections_to_a_server_that_is_gone_cost_one_wait_together(
    database: Database, proxy: TcpProxy
) -> None:
    keep(database, THREADS)
    proxy.strand()
    found = calls(database, SECONDS + SLACK_SECONDS)
    failed = [ended for _, ended, answered in found if not answered]
    assert failed
    assert max(failed) < SECONDS + SLACK_SECONDS / 2
    assert any(answered for _, _, answered in found)


def test_the_idle_ones_go_with_the_first(database: Database, proxy: TcpProxy) -> None:
    keep(database, THREADS)
    proxy.strand()
    with pytest.raises(LedgerUnavailable) as caught:
        database.run("ping")
    assert isinstance(caught.value.__cause__, StatementTimeout)
    with within(SLACK_SECONDS):
        for _ in range(THREADS):
            database.run("ping")


def test_a_statement_that_began_late_is_run_again_elsewhere(
    database: Database, proxy: TcpProxy
) -> None:
    keep(database, 2)
    proxy.strand()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(database.run, "ping")
        time.sleep(SECONDS * 0.8)  # what the test is about: two waits that overlap
        began = time.monotonic()
        second = threads.submit(database.run, "ping")
        assert isinstance(first.exception(), LedgerUnavailable)
        assert second.result()
        assert time.monotonic() - began < GRACE_SECONDS + SLACK_SECONDS


def test_a_server_that_answers_no_connection_costs_three_seconds_and_not_in_turn(
    database: Database, proxy: TcpProxy
) -> None:
    proxy.set_condition(Condition.SILENT)
    lock = threading.Lock()

    def one_after_another(_: int) -> float:
        began = time.monotonic()
        with lock, pytest.raises(LedgerUnavailable):
            database.run("ping")
        return time.monotonic() - began

    with ThreadPoolExecutor(THREADS) as threads:
        waits = list(threads.map(one_after_another, range(THREADS)))
    assert max(waits) < CONNECT_SECONDS + PAUSE_SECONDS
    proxy.set_condition(Condition.NORMAL)
    until(lambda: answers(database))


def answers(database: Database) -> bool:
    try:
        return bool(database.run("ping"))
    except LedgerUnavailable:
        return False


RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60.0)'"


def test_a_statement_that_was_given_up_does_not_go_on_in_the_server(
    database_url: str, tmp_path: Path
) -> None:
    queries = tmp_path / "queries.sql"
    queries.write_text("-- name: nap(seconds)\nSELECT pg_sleep(:seconds);\n")
    with closing(Database(database_url, queries, statement_seconds=1.0)) as database:
        with ThreadPoolExecutor(3) as threads:
            naps = [threads.submit(database.run, "nap", seconds=60.0) for _ in range(3)]
            assert all(isinstance(nap.exception(), LedgerUnavailable) for nap in naps)
        until(lambda: query(database_url, RUNNING) == [(0,)])


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_a_second_host_is_found_past_one_that_swallows_everything(database_url: str) -> None:
    head, _, tail = database_url.rpartition("@")
    address, _, name = tail.partition("/")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        hosts = f"127.0.0.1:{port},127.0.0.1:{free_port()},{address}"
        url = f"{head}@{hosts}/{name}?target_session_attrs=read-write"
        with closing(Database(url, *QUERIES)) as database:
            with within(CONNECT_SECONDS):
                database.run("ping")
            with within(0.5):  # it is remembered
                keep(database, 3)


def test_a_primary_that_became_a_standby_is_left(database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    with closing(Database(database_url, *QUERIES)) as database:
        database.run("bring_forward", horizon=1.0)
        execute(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        execute(
            database_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND pid <> pg_backend_pid()",
        )
        with pytest.raises(LedgerUnavailable):
            database.run("bring_forward", horizon=1.0)
        reset = psycopg2.connect(database_url, options="-c default_transaction_read_only=off")
        with closing(reset), reset.cursor() as cursor:
            reset.autocommit = True
            cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        assert database.run("bring_forward", horizon=1.0) == []  # by a new connection


def test_a_socket_is_an_address(
    tmp_path: Path, start_server: Callable[[PostgresServer], PostgresServer]
) -> None:
    sockets = tmp_path / "sockets"
    sockets.mkdir(mode=0o777)
    sockets.chmod(0o777)
    server = start_server(
        PostgresServer(
            tmp_path / "own",
            free_port(),
            embedded_binaries(),
            options={"fsync": "off", "unix_socket_directories": str(sockets)},
        )
    )
    head, _, tail = server.url.rpartition("@")
    address, _, name = tail.partition("/")
    port = address.rpartition(":")[2]
    with closing(Hosts(f"{head}@/{name}?host={sockets}&port={port}").connect()) as connection:
        assert connection.info.host == str(sockets)


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:hidden@h:1/d?what=hidden", "postgresql://u:hidden@[h/d", "postgresql://%zz"],
)
def test_a_url_that_libpq_cannot_read_stops_the_start_in_one_line(url: str) -> None:
    with pytest.raises(SettingError) as caught:
        Database(url, *QUERIES)
    assert "DATABASE_URL" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "port", "hosts"),
    [
        ("h1,h2", "1,2", [("h1", "1"), ("h2", "2")]),
        ("h1,h2", "1", [("h1", "1"), ("h2", "1")]),
        ("h1,h2", ",2", [("h1", ""), ("h2", "2")]),
        ("::1,h2", "1,2", [("::1", "1"), ("h2", "2")]),
        ("h1,h2", "1,2,3", [("h1,h2", "1,2,3")]),
        ("", "1", [("", "1")]),
        ("/run/sockets", "", [("/run/sockets", "")]),
    ],
)
def test_every_host_of_a_url_gets_its_port(
    host: str, port: str, hosts: list[tuple[str, str]]
) -> None:
    found = each_host({"host": host, "port": port})
    assert [(each.get("host", ""), each.get("port", "")) for each in found] == hosts


def test_a_connection_keeps_itself_alive_and_the_url_may_differ(database_url: str) -> None:
    with closing(Hosts(database_url + "?keepalives_idle=77").connect()) as connection:
        parameters = connection.get_dsn_parameters()
    assert parameters["keepalives_idle"] == "77"
    assert (parameters["tcp_user_timeout"], parameters["client_encoding"]) == ("6000", "UTF8")


def test_opening_a_connection_has_its_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        with within(1.5), pytest.raises(StatementTimeout, match=r"no answer within 0\.3 s"):
            open_connection({"host": "127.0.0.1", "port": port, "user": "u"}, 0.3)


ISOLATIONS = ["repeatable read", "serializable"]
"""Stricter than PostgreSQL's own default."""


def be_stricter(url: str, isolation: str) -> None:
    name = url.rpartition("/")[2]
    execute(url, f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_statement_that_always_meets_another_leaves_the_stricter_isolation(
    database_url: str, isolation: str, tmp_path: Path
) -> None:
    be_stricter(database_url, isolation)
    execute(
        database_url,
        "CREATE FUNCTION meet() RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_setting('transaction_isolation') <> 'read committed'"
        " THEN RAISE serialization_failure; END IF; RETURN 'met'; END $$",
    )
    queries = tmp_path / "queries.sql"
    queries.write_text("-- name: meet()\nSELECT meet();\n")
    with closing(Database(database_url, queries)) as database:
        for _ in range(2):  # on a new connection, and on a kept one
            assert [row.meet for row in database.run("meet")] == ["met"]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_stricter_default_isolation_fails_no_request(database_url: str, isolation: str) -> None:
    be_stricter(database_url, isolation)
    # More clients than the counters have slots: they get in each other's way.
    ledgers = [Ledger.at(database_url) for _ in range(24)]

    def record(number: int) -> int | None:
        checksum = number.to_bytes(32)
        new = NewObject("o", "r", f"{number}", "image/jpeg", checksum, f"q{number}")
        return ledgers[number % len(ledgers)].record(new, due_in=0)

    with ThreadPoolExecutor(len(ledgers)) as threads:
        ids = list(threads.map(record, range(240)))
    assert len(set(ids)) == 240
    for ledger in ledgers:
        ledger.close()
