"""Inspecting PostgreSQL from outside: its version, its clock, and the ledger's schema."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from shared.errors import SettingError
from shared.ledger.connection import EncodingRefused
from shared.ledger.failures import translated
from shared.ledger.hosts import Hosts
from shared.ledger.logins import Login
from shared.ledger.migrate import Schema, schema


@dataclass(frozen=True, slots=True)
class DatabaseFound:
    """What was found in a database.

    Attributes:
        version: of PostgreSQL, such as ``17.2``.
        number: the same as a number, such as 170002.
        read_only: no row can be written, as on a standby.
        clock_seconds: how far its clock is ahead of this machine's, corrected for half of the
            round trip.
        schema: how the ledger's schema compares with this version's.
    """

    version: str
    number: int
    read_only: bool
    clock_seconds: float
    schema: Schema


_LOOK = """
SELECT current_setting('server_version'), current_setting('server_version_num')::integer,
       current_setting('transaction_read_only')::boolean OR pg_is_in_recovery()
"""


def inspect(
    url: str,
    seconds: float,
    clock: Callable[[], float] = time.time,
    *,
    login: Login | None = None,
) -> DatabaseFound:
    """Inspect a database; nothing is changed.

    Args:
        url: a `postgresql://` URL.
        seconds: time limit of the connection, and of each statement.
        clock: seconds since 1970.
        login: where the login is not in the URL, or may have changed.

    Raises:
        SettingError: the URL cannot be read, or the database's encoding is not UTF8.
        LedgerUnavailable: PostgreSQL is unreachable; the text has the reason.
    """
    hosts = Hosts(url, login)
    with translated():
        try:
            connection = hosts.connect(seconds)
        except EncodingRefused as error:
            raise SettingError(f"DATABASE_URL: {error}") from error
        with closing(connection), connection.cursor() as cursor:
            connection.seconds = seconds
            cursor.execute(_LOOK)
            version, number, read_only = cursor.fetchall()[0]
            before = clock()
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            there = cursor.fetchall()[0][0]
            ahead = there - (before + clock()) / 2
            return DatabaseFound(
                version.split()[0], number, bool(read_only), ahead, schema(connection)
            )
