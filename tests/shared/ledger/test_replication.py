"""What is answered while a standby that must have every commit is away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from local.servers.postgres import PostgresServer, embedded_binaries
from shared.errors import LedgerUnavailable
from shared.ledger.database import Database
from shared.ledger.found_objects import FoundObject
from shared.ledger.ledger import QUERIES, Ledger
from shared.ledger.migrate import migrate
from shared.ledger.rows import NewObject
from shared.ledger.selection import Origin
from tests.helpers.servers import execute, free_port

NEW = NewObject("oe", "ref", "a.txt", "text/plain", b"c" * 32, "request")
FOUND = FoundObject("b.txt", "text/plain", b"d" * 32, "event")
ALONE = "?options=-c%20synchronous_commit%3Dlocal"
"""Of a session whose commits wait for no standby: its rows are visible and not replicated, as those
of a wait that was cancelled."""


@pytest.fixture
def server(
    tmp_path: Path, start_server: Callable[[PostgresServer], PostgresServer]
) -> PostgresServer:
    server = start_server(
        PostgresServer(tmp_path / "own", free_port(), embedded_binaries(), options={"fsync": "off"})
    )
    migrate(server.url)
    execute(server.url, "ALTER SYSTEM SET synchronous_standby_names = 'away'")
    execute(server.url, "SELECT pg_reload_conf()")
    return server


def test_a_duplicate_is_answered_once_its_row_is_on_the_standby(server: PostgresServer) -> None:
    with closing(Ledger.at(server.url + ALONE)) as alone:
        assert alone.record(NEW, 0) is not None
        alone.found_objects.record([FOUND], Origin.S3_EVENT)
    with closing(Ledger(Database(server.url, *QUERIES, statement_seconds=1.0))) as ledger:
        for duplicate in (NEW, replace(NEW, request_id="another")):
            with pytest.raises(LedgerUnavailable):
                ledger.record(duplicate, 0)
        with pytest.raises(LedgerUnavailable):
            ledger.found_objects.record([FOUND], Origin.S3_EVENT)
        execute(server.url + ALONE, "ALTER SYSTEM SET synchronous_standby_names = ''")
        execute(server.url + ALONE, "SELECT pg_reload_conf()")
        assert ledger.record(NEW, 0) is None
        assert ledger.found_objects.record([FOUND], Origin.S3_EVENT) == {}
