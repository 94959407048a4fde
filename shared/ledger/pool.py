"""The kept connections to PostgreSQL, and what becomes of all of them when one gets no answer.

There are as many as statements ever ran at the same time; the one used last is used next. After a
silent failover every connection to the old server is dead, and waiting for each in turn would add
their limits up. So the first that gets no answer gives the others up, too: idle ones at once, those
in use as soon as they have waited for `GRACE_SECONDS`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg2

from shared.ledger.canceller import Canceller
from shared.ledger.connection import StatementTimeout, TimedConnection
from shared.ledger.hosts import Hosts
from shared.ledger.logins import Login

GRACE_SECONDS = 2.0
"""Seconds that a statement in flight still gets once its server is taken for dead. On a server that
is merely slow most statements end within them."""

PAUSE_SECONDS = 1.0
"""Seconds without another try after a server that did not even refuse a connection. Threads that
come meanwhile fail at once, instead of waiting for the same three seconds one after another."""


class ConnectionPaused(psycopg2.OperationalError):
    """The server did not answer a moment ago."""


class Pool:
    """Connections that are in autocommit mode while they are kept.

    Args:
        url: a `postgresql://` URL.
        statement_seconds: how long a statement may take.
        login: where the login is not in the URL, or may have changed.
        clock: monotonic seconds.

    Raises:
        SettingError: the URL cannot be read.
    """

    def __init__(
        self,
        url: str,
        statement_seconds: float,
        login: Login | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hosts = Hosts(url, login, clock)
        self._seconds = statement_seconds
        self._clock = clock
        self._idle: list[TimedConnection] = []
        self._used: set[TimedConnection] = set()
        self._generation = 0
        self._lock = threading.Lock()
        self._paused_until = float("-inf")
        self._canceller = Canceller(self._hosts, statement_seconds)

    def take(self) -> TimedConnection | None:
        """Return a kept connection, or None if none is free; it is the caller's to give back."""
        with self._lock:
            if not self._idle:
                return None
            connection = self._idle.pop()
            self._used.add(connection)
            return connection

    def connect(self) -> TimedConnection:
        """Open a connection; it is the caller's to give back.

        Raises:
            ConnectionPaused: a moment ago another one got no answer.
            psycopg2.Error: there is none.
        """
        if self._clock() < self._paused_until:
            raise ConnectionPaused("no answer to a connection a moment ago")
        generation = self._generation
        try:
            connection = self._hosts.connect()
        except StatementTimeout:
            self._paused_until = self._clock() + PAUSE_SECONDS
            raise
        connection.seconds = self._seconds
        connection.generation = generation
        with self._lock:
            self._used.add(connection)
        return connection

    def give_back(self, connection: TimedConnection) -> None:
        """Keep a connection for the next caller, unless it is closed or given up."""
        with self._lock:
            self._used.discard(connection)
            keep = not connection.closed and connection.generation == self._generation
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    def give_up(self, connection: TimedConnection) -> None:
        """Take the server of a connection for dead: its statement got no answer.

        The statement may go on there, and is cancelled in the background if the server answers.
        """
        with self._lock:
            is_first = connection.generation == self._generation
            if is_first:
                self._generation += 1
                for other in self._used:
                    other.given_up = True
                    other.seconds = min(other.seconds, GRACE_SECONDS)
        if is_first:
            self._hosts.avoid(connection.address)
            self.close_idle()
        self._canceller.cancel(connection.backend_pid)

    def close_idle(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
