"""The nodes of a broker, as `RABBITMQ_URL` names them, and which one to try next.

Several hosts share one login and one virtual host, as the nodes of a cluster do. The form is
libpq's, which `DATABASE_URL` has too: commas between the hosts of one URL.
"""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable

import pika

from shared.errors import SettingError
from shared.queue.rabbitmq.backoff import reconnect_seconds

EXPECTED = "expected amqp://user:password@host:port/vhost, commas between several host:port"

HEARTBEAT = 6
"""Seconds; both sides send something at least every 3 s, and RabbitMQ presumes a client dead after
12 s. Below 5 s, RabbitMQ's guide ("Heartbeats") warns, healthy connections are lost."""

CONNECT_TIMEOUT = 5.0
"""Seconds to connect. A broker that works replies and confirms within milliseconds."""

TCP_OPTIONS = {
    # A host that is gone, rather than its broker, answers nothing at all. The kernel then ends a
    # connection after these seconds (tcp(7)), also one that nobody has looked at meanwhile.
    "TCP_KEEPIDLE": 5,
    "TCP_KEEPINTVL": 2,
    "TCP_KEEPCNT": 2,
    "TCP_USER_TIMEOUT": 8_000,  # milliseconds
}
"""Options of the sockets, as pika takes them; the ledger's connections have the same."""

BLOCKED_TIMEOUT = 30.0
"""Seconds that a broker short of memory or disk may stop reading from publishers; waiting longer
does not help."""

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._-]+)?\])(?::[0-9]{1,5})?")


class Nodes:
    """The nodes in random order, so that many clients spread over them.

    The first one is that of the connection, or of the next attempt. Not safe for several threads.

    Args:
        url: as in `RABBITMQ_URL`.
        heartbeat: seconds, see `HEARTBEAT`.
        timeout: seconds that connecting to one node may take.
        chance: returns numbers from 0 to 1, evenly distributed.

    Raises:
        SettingError: it is not such a URL.
    """

    def __init__(
        self,
        url: str,
        *,
        heartbeat: int = HEARTBEAT,
        timeout: float = CONNECT_TIMEOUT,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._chance = chance
        found = [_parameters(each, heartbeat, timeout) for each in split(url)]
        found.sort(key=lambda _: chance())
        self._order = deque(found)
        self._failures = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._order)

    @property
    def current(self) -> pika.URLParameters:
        """The node to connect to; also that of the connection, if there is one."""
        return self._order[0]

    @property
    def vhost(self) -> str:
        """The virtual host, the same on all of them."""
        return str(self.current.virtual_host)

    def leave(self) -> float:
        """Note that the current one failed, so that the next one is tried.

        Returns:
            The seconds to wait before that: none until all of them have failed.
        """
        self._order.rotate(-1)
        seconds = reconnect_seconds(self._failures, len(self._order), self._chance())
        self._failures += 1
        return seconds

    def stay(self) -> None:
        """Note that the current one works: the next failure is the first one again."""
        self._failures = 0


def split(url: str) -> list[str]:
    """Return a URL of several hosts as URLs of one each.

    ===================================  ================================================
    URL                                  URLs
    ===================================  ================================================
    amqp://u:p@a                         amqp://u:p@a
    amqp:///v                            amqp:///v, on this machine
    amqp://u:p@a:1,b/v                   amqp://u:p@a:1/v, amqp://u:p@b/v
    amqps://u:p,q@[::1]:1,[::2]/         amqps://u:p,q@[::1]:1/, amqps://u:p,q@[::2]/
    amqp://u:p@a/,amqp://u:p@b/          refused: the URL is one
    amqp://u:p@a,u:p@b/                  refused: so is the login
    ===================================  ================================================

    Raises:
        SettingError: a host is missing or is none. The text has no part of the URL.
    """
    scheme, _, rest = url.partition("://")
    netloc = re.split(r"[/?#]", rest, maxsplit=1)[0]
    tail = rest[len(netloc) :]
    if "://" in rest.partition("?")[0]:
        raise SettingError(f"RABBITMQ_URL: several URLs, or a / that is not %2F; {EXPECTED}")
    login, at, hosts = netloc.rpartition("@")
    if "@" in login:
        raise SettingError(f"RABBITMQ_URL: several logins, or an @ that is not %40; {EXPECTED}")
    if not hosts:  # AMQP's own default: this machine
        return [url]
    each = hosts.split(",")
    if not all(map(_HOST.fullmatch, each)):
        raise SettingError(f"RABBITMQ_URL: {EXPECTED}")
    return [f"{scheme}://{login}{at}{host}{tail}" for host in dict.fromkeys(each)]


def _parameters(url: str, heartbeat: int, timeout: float) -> pika.URLParameters:
    try:
        found = pika.URLParameters(url)
        found.heartbeat = heartbeat
        found.socket_timeout = timeout
        found.stack_timeout = timeout
        found.blocked_connection_timeout = BLOCKED_TIMEOUT
        found.connection_attempts = 1
        found.tcp_options = TCP_OPTIONS
        found.client_properties = {"connection_name": "external-storage-sync"}
    except (ValueError, TypeError, AssertionError) as error:
        # pika's own text may quote the URL, and with it the password.
        raise SettingError(f"RABBITMQ_URL: {EXPECTED}") from error
    if not found.port:
        raise SettingError(f"RABBITMQ_URL: {EXPECTED}")
    return found
