"""Which of psycopg2's errors say that PostgreSQL is unreachable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import errors

from shared.errors import LedgerUnavailable

_UNAVAILABLE = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
"""Errors beside the operational ones that a new connection, now or later, may not meet."""


def is_unavailable(error: psycopg2.Error) -> bool:
    """Return whether an error means that PostgreSQL cannot serve any statement now.

    This is true for everything that psycopg2 calls operational (connections, shutdown, memory,
    disk, locks, deadlocks), for a connection that was closed by the server, and for a server that
    is read-only, as a former primary is after a failover.
    """
    return isinstance(error, _UNAVAILABLE)


@contextmanager
def translated() -> Iterator[None]:
    """Translate errors of connections that other libraries open.

    Raises:
        LedgerUnavailable: PostgreSQL is unreachable; the text has the reason, in one line.
    """
    try:
        yield
    except psycopg2.Error as error:
        if not is_unavailable(error):
            raise
        raise LedgerUnavailable(" ".join(str(error).split())) from error
