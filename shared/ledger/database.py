"""The one adapter of PostgreSQL: connections, timeouts, transactions; its errors: `failures`.

Connections are in autocommit mode, so that no transaction outlives a call and a frozen execution
environment of Lambda holds no lock. There are as many as statements ever ran at the same time; the
one used last is used next. Nothing is SET on a connection: RDS Proxy would pin it.
"""

from __future__ import annotations

import logging
import math
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiosql
import psycopg2
from psycopg2 import extensions
from psycopg2.extras import NamedTupleCursor

from shared.errors import LedgerUnavailable
from shared.ledger.failures import is_unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
Row = Any
"""A named tuple, its fields named as the statement's columns are."""

CONNECT_SECONDS = 3.0
"""Seconds to wait for a connection, then for the answer to a statement. A server that is frozen
rather than gone does not answer at all: only a limit on our side ends such a wait."""

STATEMENT_SECONDS = 8.0


class Transaction(Protocol):
    """The open transaction of `Database.transaction`."""

    def __call__(self, name: str, **parameters: object) -> list[Row]:
        """Run one named statement of the transaction and return its rows; never a second time.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable; the transaction is lost.
        """
        ...


class Database:
    """Named SQL blocks, run on PostgreSQL.

    Args:
        url: a `postgresql://` URL.
        queries: a file of named SQL blocks in aiosql's format.
        statement_seconds: how long one statement may take before the connection is given up.

    Where PostgreSQL is the reason, psycopg2's error becomes `LedgerUnavailable`; an error in a
    statement itself is a fault of this program and passes through. See `is_unavailable`.
    """

    def __init__(
        self, url: str, queries: Path, statement_seconds: float = STATEMENT_SECONDS
    ) -> None:
        self._url = url
        self._queries = aiosql.from_path(queries, "psycopg2")
        self._seconds = statement_seconds
        self._row_types: dict[str, Any] = {}
        self._idle: list[extensions.connection] = []
        self._outage = False

    def run(self, name: str, **parameters: object) -> list[Row]:
        """Run one named statement in a transaction of its own and return its rows.

        A kept connection may have died while it was idle, so a statement that fails on one is run
        once more on a new one. It may then have been executed twice: every statement that is
        passed here must be idempotent.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        connection, rows = self._perform(lambda c: self._rows(c, name, parameters))
        self._give_back(connection)
        return rows

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Run the statements of its block in one transaction.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable; whether the commit took place is then
                unknown.
        """
        connection, _ = self._perform(_begin)

        def step(name: str, **parameters: object) -> list[Row]:
            # Never on a new connection: half of the transaction would be missing there.
            with self._translated(connection):
                return self._rows(connection, name, parameters)

        try:
            yield step
        except BaseException:
            self._roll_back(connection)
            raise
        else:
            with self._translated(connection):
                _commit(connection)
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while (connection := self._take()) is not None:
            connection.close()

    def _perform(
        self, operation: Callable[[extensions.connection], T]
    ) -> tuple[extensions.connection, T]:
        """Perform an operation; its connection is the caller's to give back."""
        kept = self._take()
        if kept is not None:
            try:
                return kept, self._attempt(kept, operation)
            except LedgerUnavailable as error:
                # A server that has just not answered will not answer at once.
                if isinstance(error.__cause__, StatementTimeout):
                    raise
                self.close()  # what broke one has broken the others
        with self._translated(None):
            connection = self._connect()
        return connection, self._attempt(connection, operation)

    def _attempt(
        self, connection: extensions.connection, operation: Callable[[extensions.connection], T]
    ) -> T:
        try:
            with self._translated(connection):
                result = operation(connection)
        except BaseException:
            self._give_back(connection)
            raise
        if self._outage:
            self._outage = False
            logger.info("PostgreSQL is reachable again")
        return result

    def _take(self) -> extensions.connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _give_back(self, connection: extensions.connection) -> None:
        if not connection.closed:
            self._idle.append(connection)

    def _connect(self) -> extensions.connection:
        extensions.set_wait_callback(wait_for_answer)
        connection = psycopg2.connect(
            self._url,
            connection_factory=_TimedConnection,
            application_name="external-storage-sync",
        )
        connection.autocommit = True
        connection.seconds = self._seconds
        return connection

    def _rows(
        self, connection: extensions.connection, name: str, parameters: dict[str, object]
    ) -> list[Row]:
        # NamedTupleCursor looks at the columns of every result, 12 µs of 63 for a row of seven
        # columns. Those of a statement never change: its first result names them for all.
        row_type = self._row_types.get(name)
        connection.cursor_factory = extensions.cursor if row_type else NamedTupleCursor
        rows = list(getattr(self._queries, name)(connection, **parameters))
        if row_type:
            return list(map(row_type._make, rows))
        if rows:
            self._row_types[name] = type(rows[0])
        return rows

    def _roll_back(self, connection: extensions.connection) -> None:
        if connection.closed:
            return
        try:
            _command(connection, "ROLLBACK")
        except psycopg2.Error:
            connection.close()

    @contextmanager
    def _translated(self, connection: extensions.connection | None) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            if not is_unavailable(error) and not (connection and connection.closed):
                raise
            if connection:
                connection.close()
            if not self._outage:  # callers that poll would log it several times a second
                self._outage = True
                logger.warning("PostgreSQL is unreachable", extra={"reason": str(error).strip()})
            raise LedgerUnavailable from error


def _command(connection: extensions.connection, sql: str) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.statusmessage


def _begin(connection: extensions.connection) -> extensions.connection:
    _command(connection, "BEGIN")
    return connection


def _commit(connection: extensions.connection) -> None:
    if _command(connection, "COMMIT") != "COMMIT":
        # PostgreSQL's answer if an earlier statement of the transaction failed.
        raise LedgerUnavailable("the transaction was rolled back")


class StatementTimeout(psycopg2.OperationalError):
    """PostgreSQL did not answer in time."""


class _TimedConnection(extensions.connection):
    """A connection with a limit for its statements."""

    seconds: float = CONNECT_SECONDS


def wait_for_answer(connection: extensions.connection) -> None:
    """Wait for the server, but not forever (psycopg2 calls this for every wait).

    Other connections in this process, such as those for migrations, wait as long as they need.

    Raises:
        StatementTimeout: the connection's time for one statement has passed.
    """
    seconds = connection.seconds if isinstance(connection, _TimedConnection) else math.inf
    deadline = time.monotonic() + seconds
    while (state := connection.poll()) != extensions.POLL_OK:
        poller = select.poll()
        poller.register(
            connection.fileno(),
            select.POLLIN if state == extensions.POLL_READ else select.POLLOUT,
        )
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(None if left == math.inf else left * 1000):
            raise StatementTimeout
