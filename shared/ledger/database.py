"""The one adapter of PostgreSQL: named statements and transactions, with its errors translated.

Beside it are `connection` (one of them, and its limits), `hosts` (where they lead), `pool` (those
that are kept) and `failures` (what an error means). Connections are in autocommit mode, so that no
transaction outlives a call and a frozen execution environment of Lambda holds no lock. Nothing is
SET on a connection: RDS Proxy would pin it.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import psycopg2
from psycopg2 import errors, extensions
from psycopg2.extras import NamedTupleCursor

from shared.errors import LedgerUnavailable
from shared.ledger.connection import StatementTimeout, TimedConnection
from shared.ledger.failures import is_unavailable, one_line
from shared.ledger.logins import Login
from shared.ledger.pool import Pool
from shared.ledger.statements import Statements
from shared.metrics import tally
from shared.metrics.catalog import DATABASE_ERRORS

logger = logging.getLogger(__name__)

T = TypeVar("T")
Row = Any
"""A named tuple, its fields named as the statement's columns are."""

STATEMENT_SECONDS = 6.0
"""Seconds to wait for the answer to a statement. A server that is frozen rather than gone does not
answer at all: only a limit on our side ends such a wait. With a connection (`CONNECT_SECONDS`) on
top, a request is answered within 10 s."""

CONFLICTS = 5
"""Times that a statement is run which PostgreSQL rolls back for another transaction's sake."""


class Transaction(Protocol):
    """The open transaction of `Database.transaction`."""

    def __call__(self, name: str, /, **parameters: object) -> list[Row]:
        """Run one named statement of the transaction and return its rows; never a second time.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable; the transaction is lost.
        """
        ...


class Database:
    """Named SQL blocks, run on PostgreSQL.

    Args:
        url: a `postgresql://` URL.
        queries: files of named SQL blocks, see `Statements`.
        statement_seconds: how long one statement may take before the connection is given up.
        login: where the login is not in the URL, or may have changed.

    Where PostgreSQL is the reason, psycopg2's error becomes `LedgerUnavailable`; an error in a
    statement itself is a fault of this program and passes through. See `is_unavailable`.

    Raises:
        SettingError: the URL cannot be read.
    """

    def __init__(
        self,
        url: str,
        *queries: Path,
        statement_seconds: float = STATEMENT_SECONDS,
        login: Login | None = None,
    ) -> None:
        self._pool = Pool(url, statement_seconds, login)
        self._statements = Statements(*queries)
        self._row_types: dict[str, Any] = {}
        self._outage = False

    def with_queries(self, *queries: Path) -> Self:
        """Return a database of other statements, which uses the same connections."""
        other = copy.copy(self)
        other._statements = Statements(*queries)  # noqa: SLF001 # of the same class
        other._row_types = {}  # noqa: SLF001 # as above
        return other

    def run(self, name: str, /, **parameters: object) -> list[Row]:
        """Run one named statement in a transaction of its own and return its rows.

        A kept connection may have died while it was idle, so a statement that fails on one is run
        once more on a new one. It may then have been executed twice: every statement that is
        passed here must be idempotent.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        return self.run_telling(name, **parameters)[0]

    def run_telling(self, name: str, /, **parameters: object) -> tuple[list[Row], bool]:
        """Run one named statement like `run`, and return whether it may have run twice.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        connection, rows, again = self._perform(lambda c: self._rows(c, name, parameters))
        self._pool.give_back(connection)
        return rows, again

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Run the statements of its block in one transaction.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable; whether the commit took place is then
                unknown.
        """
        connection, _, _ = self._perform(_begin)

        def step(name: str, /, **parameters: object) -> list[Row]:
            # Never on a new connection: half of the transaction would be missing there.
            with self._translated(connection):
                return self._rows(connection, name, parameters)

        try:
            yield step
        except BaseException:
            _roll_back(connection)
            raise
        else:
            with self._translated(connection):
                _commit(connection)
        finally:
            self._pool.give_back(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close_idle()

    def _perform(
        self, operation: Callable[[TimedConnection], T]
    ) -> tuple[TimedConnection, T, bool]:
        """Perform an operation, and return whether it was repeated after a lost connection.

        Its connection is the caller's to give back.
        """
        kept = self._pool.take()
        if kept is not None:
            try:
                return kept, self._attempt(kept, operation), False
            except LedgerUnavailable as error:
                # A server that has just not answered will not answer at once.
                if isinstance(error.__cause__, StatementTimeout):
                    raise
                self._pool.close_idle()  # what broke one has broken the others
        with self._translated(None):
            connection = self._pool.connect()
        return connection, self._attempt(connection, operation), kept is not None

    def _attempt(self, connection: TimedConnection, operation: Callable[[TimedConnection], T]) -> T:
        try:
            with self._translated(connection):
                result = _without_conflict(connection, operation)
        except BaseException:
            self._pool.give_back(connection)
            raise
        if self._outage:
            self._outage = False
            logger.info("PostgreSQL is reachable again")
        return result

    def _rows(
        self, connection: extensions.connection, name: str, parameters: dict[str, object]
    ) -> list[Row]:
        # NamedTupleCursor looks at the columns of every result, 12 µs of 63 for a row of seven
        # columns. Those of a statement never change: its first result names them for all.
        row_type = self._row_types.get(name)
        connection.cursor_factory = extensions.cursor if row_type else NamedTupleCursor
        rows = list(self._statements[name](connection, **parameters))
        if row_type:
            return list(map(row_type._make, rows))
        if rows:
            self._row_types[name] = type(rows[0])
        return rows

    @contextmanager
    def _translated(self, connection: TimedConnection | None) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            if not is_unavailable(error) and not (connection and connection.closed):
                raise
            if connection:
                if isinstance(error, StatementTimeout):
                    self._pool.give_up(connection)
                connection.close()
            tally.count(DATABASE_ERRORS)
            if not self._outage:  # callers that poll would log it several times a second
                self._outage = True
                logger.warning("PostgreSQL is unreachable", extra={"reason": one_line(error)})
            raise LedgerUnavailable from error


def _without_conflict(connection: TimedConnection, operation: Callable[[TimedConnection], T]) -> T:
    """Perform an operation again which PostgreSQL rolled back for another transaction's sake.

    A database with `default_transaction_isolation` above READ COMMITTED does so whenever clients
    meet, however often they try: the operation then runs in READ COMMITTED, where it only waits.
    """
    attempt = operation
    for _ in range(CONFLICTS - 1):
        try:
            return attempt(connection)
        except errors.SerializationFailure:
            attempt = partial(_in_read_committed, operation)
        except errors.DeadlockDetected:
            continue
    return attempt(connection)


def _in_read_committed(operation: Callable[[TimedConnection], T], connection: TimedConnection) -> T:
    _begin(connection)
    try:
        result = operation(connection)
    except BaseException:
        _roll_back(connection)
        raise
    _commit(connection)
    return result


def _command(connection: extensions.connection, sql: str) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.statusmessage


def _begin(connection: extensions.connection) -> extensions.connection:
    # What is read after a lock must be newer than the lock, whatever the database's default is.
    _command(connection, "BEGIN ISOLATION LEVEL READ COMMITTED")
    return connection


def _commit(connection: extensions.connection) -> None:
    if _command(connection, "COMMIT") != "COMMIT":
        # PostgreSQL's answer if an earlier statement of the transaction failed.
        raise LedgerUnavailable("the transaction was rolled back")


def _roll_back(connection: extensions.connection) -> None:
    if connection.closed:
        return
    try:
        _command(connection, "ROLLBACK")
    except psycopg2.Error:
        connection.close()
