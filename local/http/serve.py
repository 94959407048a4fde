"""The HTTP server in front of the functions, `./sync serve`."""

from __future__ import annotations

import logging
import os
import resource
import signal
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from local.addresses import at
from local.environment import LocalEnvironment
from local.handlers import imported, joint, prepare
from local.http.invocation import Invoker
from local.http.listener import Listener
from local.http.parent_watch import end_with_parent
from local.http.router import Router
from local.http.rsgi_app import STOP_SECONDS, RsgiApp
from local.template import Route, load
from shared.config.settings import Settings
from shared.config.startup import configure_log
from shared.http.body_limits import LARGER_BODIES
from shared.queue.publisher import FLUSH_SECONDS

logger = logging.getLogger(__name__)

HEADER_MILLISECONDS = 10_000
"""Milliseconds for a request's headers; an idle connection is closed after them, too."""

HEADER_BYTES = 65_536
"""Bytes of a request's line and headers; AWS allows 10,240."""

BACKLOG = 4_096
"""Connections that the kernel keeps until they are accepted."""

CONNECTIONS = 20_000
"""Connections that one worker serves at once, idle ones included."""

END_SECONDS = STOP_SECONDS + FLUSH_SECONDS + 5.0
"""Seconds that a worker gets to end cleanly, with or without its first process: functions finish,
then what they published is sent, and a few seconds more."""


def serve(environment: LocalEnvironment, routes: tuple[Route, ...] | None = None) -> None:
    """Answer requests until SIGTERM or SIGINT; those in flight are answered first.

    Args:
        environment: what the user set up.
        routes: to the functions; the template's when not given.

    Raises:
        SettingError: a setting or the template is invalid, or the port is taken.
    """
    listener = Listener.of(environment)
    configure_log(Settings.from_mapping(environment.given))
    listener.require_free()
    _allow_many_files()
    os.register_at_fork(before=_block_signals, after_in_parent=_unblock_signals)
    # Here as well as in the workers, so that an invalid setting stops the start with one line.
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
        workers_kill_timeout=int(END_SECONDS),
        log_level=LogLevels.warning,
    )
    logger.info("answering", extra={"address": f"http://{at(listener.host, listener.port)}"})
    server.serve(target_loader=_Loader(listener, routes), wrap_loader=False)


class _Loader:
    """A factory of a worker's application, called in the worker's own process."""

    def __init__(self, listener: Listener, routes: tuple[Route, ...]) -> None:
        self._listener = listener
        self._routes = routes
        self._parent = os.getpid()

    def __call__(self) -> Any:
        _block_signals()
        end_with_parent(self._parent, END_SECONDS)
        invoker = Invoker(Router(self._routes, imported, joint))
        return RsgiApp(
            invoker,
            threads=self._listener.threads,
            max_body_bytes=self._listener.max_body_bytes,
            larger_bodies=LARGER_BODIES,
            on_running=_unblock_signals,
            allowed_hosts=self._listener.allowed_hosts,
        )


def _block_signals() -> None:
    """Block SIGTERM until the worker's event loop runs; threads started before block it for good.

    What comes while the worker's own handler is being set up would be lost, and granian would wait
    for the worker forever. Blocked, it waits. A forked worker is born with it blocked, so that not
    a moment is left; it must not end before granian tells it to, which would count as a crash.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _allow_many_files() -> None:
    """Raise the limit of open files, often 1,024, as far as the system allows any account."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
