"""The HTTP server in front of the functions, `python -m local serve`."""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from functions.ingest.wiring import FLUSH_SECONDS
from local.invocation import Invoker
from local.orphan import end_with_parent
from local.router import Router, imported, prepare
from local.rsgi_app import STOP_SECONDS, RsgiApp
from local.template import load
from shared import log
from shared.errors import SettingError
from shared.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.environment import LocalEnvironment
    from local.template import Route

logger = logging.getLogger(__name__)

#: Milliseconds for a request's headers; an idle connection is closed after them, too.
HEADER_MILLISECONDS = 10_000
#: Bytes of a request's line and headers; AWS allows 10,240.
HEADER_BYTES = 65_536
#: Connections that the kernel keeps until they are accepted.
BACKLOG = 4_096
#: Connections that one worker serves at once, idle ones included.
CONNECTIONS = 20_000
#: Seconds that a worker without its first process gets to end in order: functions finish, then
#: what they announced is sent, and some for the rest.
ORPHAN_SECONDS = STOP_SECONDS + FLUSH_SECONDS + 5.0


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
    def of(cls, variables: Mapping[str, str], port: int) -> Self:
        """Reads `HOST`, `WORKERS`, `THREADS` and `MAX_BODY_BYTES`.

        Raises:
            SettingError: one is wrong.
        """
        return cls(
            host=variables.get("HOST", "127.0.0.1"),
            port=port,
            workers=_count(variables, "WORKERS", 1),
            threads=_count(variables, "THREADS", 32),
            max_body_bytes=Settings.from_mapping(variables).max_body_bytes,
        )


def serve(environment: LocalEnvironment, routes: tuple[Route, ...] | None = None) -> None:
    """Answers requests until SIGTERM or SIGINT; those in flight are answered first.

    Args:
        environment: what the user set up.
        routes: to the functions; the template's when not given.

    Raises:
        SettingError: a setting or the template is wrong, or the port is taken.
    """
    listener = Listener.of(environment.given, environment.port)
    log.configure(environment.given.get("LOG_LEVEL", "INFO"))
    require_free(listener.host, listener.port)
    _allow_many_files()
    # Here as well as in the workers, so that what is missing stops the start with one line.
    routes = load().routes if routes is None else routes
    for handler in sorted({route.handler for route in routes}):
        prepare(handler)
    server = Granian(
        "functions",
        address=listener.host,
        port=listener.port,
        interface=Interfaces.RSGI,
        workers=listener.workers,
        loop=Loops.auto,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=HEADER_BYTES
        ),
        websockets=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
        log_level=LogLevels.warning,
    )
    logger.info("answering", extra={"address": f"http://{listener.host}:{listener.port}"})
    server.serve(target_loader=_Loader(listener, routes), wrap_loader=False)


class _Loader:
    """Makes a worker's application, in the worker's own process."""

    def __init__(self, listener: Listener, routes: tuple[Route, ...]) -> None:
        self._listener = listener
        self._routes = routes
        self._parent = os.getpid()

    def __call__(self) -> Any:
        end_with_parent(self._parent, ORPHAN_SECONDS)
        invoker = Invoker(Router(self._routes, imported))
        return RsgiApp(
            invoker,
            threads=self._listener.threads,
            max_body_bytes=self._listener.max_body_bytes,
        )


def require_free(host: str, port: int) -> None:
    """Makes sure that nobody listens on a port.

    The server's own sockets share a port with whoever shares it too, without a word.

    Raises:
        SettingError: somebody does.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = (
                "is in use"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used: {error.strerror}"
            )
            raise SettingError(f"PORT: port {port} of {host} {why}") from error


def _allow_many_files() -> None:
    """Raises the limit of open files, often 1,024, as far as the system lets everybody."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _count(variables: Mapping[str, str], name: str, default: int) -> int:
    text = variables.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 64:  # noqa: PLR2004 - beyond it nothing gains
        raise SettingError(f"{name}: expected a whole number from 1 to 64")
    return int(text)
