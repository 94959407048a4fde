"""What an error of psycopg2 means: PostgreSQL cannot serve now, it refuses a row, or a bug."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import errors

from shared.errors import LedgerUnavailable, RowRefused

_UNAVAILABLE = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
"""Errors beside the operational ones that a new connection, now or later, may not meet."""

_OVER_LIMITS = (
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
    errors.TooManyColumns,
    errors.TooManyArguments,
)
"""SQLSTATE class 54. psycopg2 calls them operational, but they are the statement's own fault."""

_REFUSALS = (psycopg2.DataError, psycopg2.IntegrityError, *_OVER_LIMITS)
"""SQLSTATE classes 22, 23 and 54: a value that PostgreSQL does not take."""

_ENDS_THE_CONNECTION = ("FATAL", "PANIC")


def is_unavailable(error: psycopg2.Error) -> bool:
    """Return whether an error means that PostgreSQL cannot serve any statement now.

    This is true for everything that psycopg2 calls operational (connections, shutdown, memory,
    disk, locks, deadlocks), for a connection that was closed by the server, for a server that is
    read-only, as a former primary is after a failover, and for whatever ends the connection: so
    does a pooler in front report that it cannot reach or log in to the server.
    """
    if isinstance(error, _OVER_LIMITS):
        return False
    return (
        isinstance(error, _UNAVAILABLE)
        or error.diag.severity_nonlocalized in _ENDS_THE_CONNECTION
        or error.diag.severity in _ENDS_THE_CONNECTION  # a pooler sends only this one
    )


@contextmanager
def translated() -> Iterator[None]:
    """Translate errors of connections outside of `Database`.

    Raises:
        LedgerUnavailable: PostgreSQL is unreachable; the text has the reason, in one line.
    """
    try:
        yield
    except psycopg2.Error as error:
        if not is_unavailable(error):
            raise
        raise LedgerUnavailable(one_line(error)) from error


@contextmanager
def refusals() -> Iterator[None]:
    """Translate what PostgreSQL, or psycopg2 before it, objects to in the values of a statement.

    Raises:
        RowRefused: it does not take one of them.
    """
    try:
        yield
    except _REFUSALS as error:
        reason = error.diag.message_primary or one_line(error)
        raise RowRefused(reason, error.diag.column_name or "") from error
    except ValueError as error:  # text with NUL or lone surrogates is not even sent
        raise RowRefused(str(error)) from error


def one_line(error: psycopg2.Error) -> str:
    """Return an error's text in one line."""
    return " ".join(str(error).split())
