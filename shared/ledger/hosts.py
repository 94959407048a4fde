"""The hosts of a `DATABASE_URL`, tried one after another within one limit.

libpq tries several by itself, but without a limit for each where the caller waits, as we do: a
first host that accepts nothing and refuses nothing would never be passed over. So each address gets
its share of the time: every host of the URL, and every address behind a host's name.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence

import psycopg2

from shared.deadline import within
from shared.errors import SettingError
from shared.ledger.connection import (
    EncodingRefused,
    StatementTimeout,
    TimedConnection,
    open_connection,
)
from shared.ledger.logins import Login, is_refusal, parse_url

CONNECT_SECONDS = 3.0
"""Seconds for a connection in all, whatever the number of hosts."""

LEAST_SECONDS = 0.5
"""Seconds that an address gets at least."""

Address = dict[str, str]
"""`host`, `hostaddr` and `port` of libpq, as far as they are given."""


class Hosts:
    """Where to connect to.

    Args:
        url: a `postgresql://` URL, or another DSN of libpq.
        login: where the login is not in the URL, or may have changed.
        clock: monotonic seconds.

    Raises:
        SettingError: libpq cannot read it.
    """

    def __init__(
        self, url: str, login: Login | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._login = login
        self._parameters = parse_url(url)
        self._hosts = each_host(self._parameters)
        for name in ("host", "hostaddr", "port"):
            self._parameters.pop(name, None)
        self._shuffled = self._parameters.get("load_balance_hosts") == "random"
        self._clock = clock
        self._good: Address | None = None
        self._silent: list[Address] = []

    def connect(self, seconds: float = CONNECT_SECONDS) -> TimedConnection:
        """Connect to the first host that accepts it, the last good one first.

        Which servers are acceptable is `target_session_attrs` of the URL, as in libpq.

        Args:
            seconds: limit on all hosts together.

        Raises:
            StatementTimeout: none accepts it, and one does not even answer.
            EncodingRefused: the database's encoding is not UTF8.
            psycopg2.Error: none accepts it.
        """
        deadline = self._clock() + within(seconds)
        addresses = self._in_order([found for host in self._hosts for found in _resolved(host)])
        errors: list[psycopg2.Error] = []
        for position, address in enumerate(addresses):
            share = (deadline - self._clock()) / (len(addresses) - position)
            try:
                connection = self._open(address, max(LEAST_SECONDS, share))
            except EncodingRefused:
                raise
            except StatementTimeout as error:
                self.avoid(address)
                errors.append(error)
            except psycopg2.Error as error:
                errors.append(error)
            else:
                connection.address = address
                self._good = address
                if address in self._silent:
                    self._silent.remove(address)
                return connection
        try:
            raise _together(errors)
        finally:
            # By its traceback each holds this frame, which would hold it, and so the socket of its
            # connection, until the next run of the garbage collector.
            errors.clear()

    def _open(self, address: Address, seconds: float) -> TimedConnection:
        parameters = self._parameters | address
        if self._login is None:
            return open_connection(parameters, seconds)
        try:
            return open_connection({**parameters, **self._login.parameters(parameters)}, seconds)
        except psycopg2.OperationalError as error:
            if not is_refusal(error) or not self._login.renew():
                raise
        return open_connection({**parameters, **self._login.parameters(parameters)}, seconds)

    def avoid(self, address: Address) -> None:
        """Try an address last, until it accepts a connection again."""
        if address not in self._silent:
            self._silent.append(address)
        if self._good == address:
            self._good = None

    def _in_order(self, addresses: list[Address]) -> list[Address]:
        if self._shuffled:
            random.shuffle(addresses)
        return sorted(addresses, key=lambda a: (a in self._silent, a != self._good))


def check_encoding(url: str, login: Login | None = None) -> None:
    """Check what a process can know of its database at its start.

    Raises:
        SettingError: the URL cannot be read, or the database's encoding is not UTF8.
    """
    try:
        Hosts(url, login).connect().close()
    except EncodingRefused as error:
        raise SettingError(f"DATABASE_URL: {error}") from error
    except psycopg2.Error:
        return  # a database that is away at the start may come back


def each_host(parameters: Mapping[str, str]) -> list[Address]:
    """Return the hosts of a DSN that names several; one that names none has one.

    ==============  ==========  ===========================================
    host            port        hosts
    ==============  ==========  ===========================================
    h1,h2           1,2         h1 at 1, h2 at 2
    h1,h2           1           h1 at 1, h2 at 1
    h1,h2           ,2          h1 at the default port, h2 at 2
    h1,h2           1,2,3       h1,h2 at 1,2,3, which libpq refuses
    (none)          1           the default one at 1
    ==============  ==========  ===========================================
    """
    lists = {
        name: parameters[name].split(",")
        for name in ("host", "hostaddr", "port")
        if parameters.get(name)
    }
    number = max(len(lists.get("host", ())), len(lists.get("hostaddr", ())), 1)
    if len(lists.get("port", ())) == 1:
        lists["port"] *= number
    if any(len(values) != number for values in lists.values()):
        return [{name: parameters[name] for name in lists}]
    return [
        {name: values[position] for name, values in lists.items() if values[position]}
        for position in range(number)
    ]


def _resolved(host: Address) -> Sequence[Address]:
    """Return a host once for each of its addresses."""
    name = host.get("host", "")
    if not name or name.startswith(("/", "@")) or "," in name or "hostaddr" in host:
        return [host]
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return [host]  # libpq says the same, in its words
    addresses = dict.fromkeys(str(address[0]) for *_, address in found)
    return [host | {"hostaddr": address} for address in addresses]


def _together(errors: list[psycopg2.Error]) -> psycopg2.Error:
    if len(errors) == 1:
        return errors[0]
    silent = any(isinstance(error, StatementTimeout) for error in errors)
    kind = StatementTimeout if silent else psycopg2.OperationalError
    return kind("; ".join(dict.fromkeys(str(error).strip() for error in errors)))
