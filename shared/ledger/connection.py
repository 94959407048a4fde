"""One connection to PostgreSQL: how it is opened, and how long it waits for an answer."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Mapping
from functools import partial

import psycopg2
from psycopg2 import extensions

from shared.deadline import within

SLICE_SECONDS = 0.5
"""Seconds after which a wait looks at its limit again, which another thread may have shortened."""

DEFAULTS = {
    "application_name": "external-storage-sync",
    # A host that is gone, rather than its server, answers nothing at all. The kernel then ends a
    # connection after these seconds (tcp(7)); idle ones are dead before they are used again.
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "6000",  # milliseconds
}
"""Parameters of libpq that a URL may override."""

ENCODING = {"client_encoding": "UTF8"}
"""Sent with the startup, which poolers accept and which is not SET. It overrides what the
environment (PGCLIENTENCODING), the role and the database say."""


class StatementTimeout(psycopg2.OperationalError):
    """PostgreSQL did not answer in time."""


class ConnectionGivenUp(psycopg2.OperationalError):
    """Another statement got no answer from the same server, and this one neither."""


class EncodingRefused(psycopg2.OperationalError):
    """The database cannot hold every text."""


class TimedConnection(extensions.connection):
    """A connection with a limit for its statements.

    Args:
        dsn: of libpq.
        seconds: how long to wait for it to be made.

    Attributes:
        seconds: how long to wait for the answer to a statement; any thread may change it.
        address: host and port that it was opened to.
        backend_pid: number of its process in the server.
        generation: see `shared.ledger.pool`.
        given_up: whether its server is taken for dead.
    """

    def __init__(self, dsn: str, seconds: float) -> None:
        self.seconds = seconds
        self.address: dict[str, str] = {}
        self.backend_pid = 0
        self.generation = 0
        self.given_up = False
        super().__init__(dsn)


def open_connection(parameters: Mapping[str, str], seconds: float) -> TimedConnection:
    """Open a connection in autocommit mode; its statements may take as long as it may.

    Args:
        parameters: of libpq; one host at most, for libpq alone would wait for each for minutes.
        seconds: limit on opening it.

    Raises:
        StatementTimeout: the server does not answer.
        EncodingRefused: the database's encoding is not UTF8.
        psycopg2.Error: there is no connection for another reason.
    """
    extensions.set_wait_callback(wait_for_answer)
    dsn = extensions.make_dsn(**(DEFAULTS | dict(parameters) | ENCODING))
    connection = psycopg2.connect(dsn, partial(TimedConnection, seconds=seconds))
    encoding = connection.info.parameter_status("server_encoding")  # came with the connection
    if encoding not in {"UTF8", None}:
        connection.close()
        raise EncodingRefused(
            f"the database's encoding is {encoding}; create it with ENCODING 'UTF8'"
        )
    connection.autocommit = True
    connection.backend_pid = connection.info.backend_pid
    return connection


def wait_for_answer(connection: extensions.connection) -> None:
    """Wait for the server, but not forever (psycopg2 calls this for every wait).

    Connections that others in this process opened wait as long as they need.

    Raises:
        StatementTimeout: the connection's time for one statement has passed, or the invocation's.
        ConnectionGivenUp: the server was taken for dead meanwhile, and has not answered since.
    """
    started = time.monotonic()
    while (state := connection.poll()) != extensions.POLL_OK:
        poller = select.poll()
        poller.register(
            connection.fileno(),
            select.POLLIN if state == extensions.POLL_READ else select.POLLOUT,
        )
        while not poller.poll(1000 * min(SLICE_SECONDS, _left(connection, started))):
            if _left(connection, started) <= 0:
                raise _timeout(connection)


def _left(connection: extensions.connection, started: float) -> float:
    """Return the seconds that a wait may still take, 0 at least."""
    seconds = connection.seconds if isinstance(connection, TimedConnection) else math.inf
    return within(max(0.0, started + seconds - time.monotonic()))


def _timeout(connection: extensions.connection) -> psycopg2.OperationalError:
    if getattr(connection, "given_up", False):
        return ConnectionGivenUp("the server stopped answering")
    if within(1) == 0:
        return StatementTimeout("no answer within the time of the invocation")
    return StatementTimeout(f"no answer within {getattr(connection, 'seconds', 0):g} s")
