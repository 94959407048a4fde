"""The one adapter of PostgreSQL: connections, timeouts, transactions, and psycopg2's errors.

Each thread keeps one connection in autocommit mode, so that no transaction outlives a call and a
frozen Lambda sandbox holds no lock. Nothing is SET on a connection: RDS Proxy would pin it.
"""

from __future__ import annotations

import select
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import aiosql
import psycopg2
from psycopg2 import extensions

from shared.errors import LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = tuple[Any, ...]

#: Seconds to wait for a connection, then for the answer to a statement. A server that is frozen
#: rather than gone answers nothing at all: only a limit on our side ends such a wait.
CONNECT_SECONDS = 3
STATEMENT_SECONDS = 8.0


class Database:
    """Named SQL blocks, run on PostgreSQL.

    Args:
        url: a `postgresql://` URL.
        queries: a file of named SQL blocks in aiosql's format.
        statement_seconds: how long one statement may take before the connection is given up.

    Errors of the connection become `LedgerUnavailable`; errors in a statement itself are faults
    of this program and pass through.
    """

    def __init__(
        self, url: str, queries: Path, statement_seconds: float = STATEMENT_SECONDS
    ) -> None:
        self._url = url
        self._queries = aiosql.from_path(queries, "psycopg2")
        self._seconds = statement_seconds
        self._local = threading.local()

    def run(self, name: str, **parameters: object) -> list[Row]:
        """Runs one named statement in a transaction of its own and gives its rows.

        A kept connection may have died while nobody used it, so a statement that fails on one is
        run once more on a new one. It may then have been executed twice: every statement that
        is passed here is written to stand that.

        Raises:
            LedgerUnavailable: PostgreSQL is out of reach.
        """
        reused = self._kept() is not None
        try:
            return self._execute(name, parameters)
        except LedgerUnavailable as error:
            if not reused or isinstance(error.__cause__, StatementTimeout):
                raise
        return self._execute(name, parameters)

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """Runs the statements of its block in one transaction, in this thread.

        Within the block use `step`, which never retries.

        Raises:
            LedgerUnavailable: PostgreSQL is out of reach; whether the commit took place is then
                unknown.
        """
        self._command("BEGIN")
        try:
            yield self
        except BaseException:
            self._roll_back()
            raise
        self._command("COMMIT")

    def step(self, name: str, **parameters: object) -> list[Row]:
        """Runs one named statement of an open transaction and gives its rows.

        Raises:
            LedgerUnavailable: PostgreSQL is out of reach; the transaction is lost.
        """
        return self._execute(name, parameters)

    def close(self) -> None:
        """Closes this thread's connection."""
        connection = self._kept()
        if connection is not None:
            self._local.connection = None
            connection.close()

    def _kept(self) -> extensions.connection | None:
        connection: extensions.connection | None = getattr(self._local, "connection", None)
        return connection

    def _connection(self) -> extensions.connection:
        connection = self._kept()
        if connection is None:
            extensions.set_wait_callback(wait_for_answer)
            connection = psycopg2.connect(
                self._url,
                connect_timeout=CONNECT_SECONDS,
                connection_factory=_TimedConnection,
                application_name="external-storage-sync",
            )
            connection.autocommit = True
            connection.seconds = self._seconds
            self._local.connection = connection
        return connection

    def _execute(self, name: str, parameters: dict[str, object]) -> list[Row]:
        with self._translated():
            return list(getattr(self._queries, name)(self._connection(), **parameters))

    def _command(self, sql: str) -> None:
        with self._translated(), self._connection().cursor() as cursor:
            cursor.execute(sql)

    def _roll_back(self) -> None:
        try:
            self._command("ROLLBACK")
        except LedgerUnavailable:
            self.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            self.close()
            raise LedgerUnavailable from error
        except psycopg2.Error:
            connection = self._kept()
            if connection is not None and connection.closed:
                self.close()
            raise


class StatementTimeout(psycopg2.OperationalError):
    """PostgreSQL did not answer in time."""


class _TimedConnection(extensions.connection):
    """A connection that knows how long its statements may take."""

    seconds: float = float(CONNECT_SECONDS)


def wait_for_answer(connection: extensions.connection) -> None:
    """Waits for the server, but not for ever (psycopg2 calls this for every wait).

    Raises:
        StatementTimeout: the connection's time for one statement has passed.
    """
    seconds = getattr(connection, "seconds", float(CONNECT_SECONDS))
    deadline = time.monotonic() + seconds
    while (state := connection.poll()) != extensions.POLL_OK:
        poller = select.poll()
        poller.register(
            connection.fileno(),
            select.POLLIN if state == extensions.POLL_READ else select.POLLOUT,
        )
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            raise StatementTimeout
