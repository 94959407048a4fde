"""Where the HTTP server listens, and with how much it works."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from local.servers.ports import at
from shared.errors import SettingError
from shared.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.environment import LocalEnvironment


@dataclass(frozen=True, slots=True)
class Listener:
    """Where and with how much the server works.

    Attributes:
        host: address to listen on.
        port: TCP port.
        workers: processes.
        threads: threads of each process in which functions run. Requests that wait for a server
            at the same time share a round trip, so as many as clients come at once do best.
        max_body_bytes: what is longer reaches no function whole.
    """

    host: str
    port: int
    workers: int
    threads: int
    max_body_bytes: int

    @classmethod
    def of(cls, environment: LocalEnvironment) -> Self:
        """Reads `HOST`, `PORT`, `WORKERS`, `THREADS` and `MAX_BODY_BYTES`.

        Raises:
            SettingError: one is wrong.
        """
        return cls(
            host=environment.host,
            port=environment.port,
            workers=_count(environment.given, "WORKERS", 1),
            threads=_count(environment.given, "THREADS", 32),
            max_body_bytes=Settings.from_mapping(environment.given).max_body_bytes,
        )

    def require_free(self) -> None:
        """Makes sure that nobody listens there.

        The server's own sockets share a port with whoever shares it too, without a word.

        Raises:
            SettingError: somebody does, or it is no address of this machine.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    raise SettingError(f"HOST: {self.host} is not of this machine") from error
                taken = error.errno == errno.EADDRINUSE
                why = "is in use" if taken else f"cannot be used: {error.strerror}"
                raise SettingError(f"PORT: {at(self.host, self.port)} {why}") from error


def _count(variables: Mapping[str, str], name: str, default: int) -> int:
    text = variables.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 64:  # noqa: PLR2004 - beyond it nothing gains
        raise SettingError(f"{name}: expected a whole number from 1 to 64")
    return int(text)
