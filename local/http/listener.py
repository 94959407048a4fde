"""Where the HTTP server listens, and with how many processes and threads."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import Self

from local.addresses import at
from local.allowed_hosts import AllowedHosts
from local.environment import LocalEnvironment
from shared.config.settings import Settings
from shared.errors import SettingError

THREADS = 32
"""Threads of all processes together."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the server listens, and with how many processes and threads.

    Attributes:
        host: address to listen on.
        port: TCP port.
        workers: processes.
        threads: threads of each process in which functions run. Functions that take several
            requests at once need two of them, the others one for each request of the moment.
        allowed_hosts: the names that clients may call it by.
        max_body_bytes: a longer body is passed on cut off, for the function to refuse.
    """

    host: str
    port: int
    workers: int
    threads: int
    max_body_bytes: int
    allowed_hosts: AllowedHosts

    @classmethod
    def of(cls, environment: LocalEnvironment) -> Self:
        """Read `HOST`, `ALLOWED_HOSTS`, `PORT`, `WORKERS`, `THREADS` and `MAX_BODY_BYTES`.

        Raises:
            SettingError: one is invalid.
        """
        workers = environment.count("WORKERS", 1)
        return cls(
            host=environment.host,
            port=environment.port,
            workers=workers,
            threads=environment.count("THREADS", max(1, THREADS // workers)),
            max_body_bytes=Settings.from_mapping(environment.given).max_body_bytes,
            allowed_hosts=environment.allowed_hosts,
        )

    def require_free(self) -> None:
        """Check that no program listens there.

        The server's own sockets would share the port with any other that shares it, without an
        error.

        Raises:
            SettingError: one does, or the address is not this machine's.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    raise SettingError(
                        f"HOST: {self.host} is no address of this machine"
                    ) from error
                taken = error.errno == errno.EADDRINUSE
                why = "is in use" if taken else f"cannot be used: {error.strerror}"
                raise SettingError(f"PORT: {at(self.host, self.port)} {why}") from error
