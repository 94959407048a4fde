"""`python -m local run`: everything in one command, embedded unless it is set up elsewhere."""

from __future__ import annotations

import json
import secrets
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from local.client import curl
from local.preparation import prepare
from local.servers.postgres import PostgresServer, embedded_binaries
from local.servers.process import require_free
from local.supervisor import Supervisor
from shared import log

if TYPE_CHECKING:
    from local.environment import LocalEnvironment
    from local.servers.server import Server

READY_SECONDS = 60.0


def run(environment: LocalEnvironment) -> None:
    """Starts servers and functions, and keeps them running until SIGTERM or SIGINT.

    Raises:
        SettingError, ServerError: something cannot be started; the text says what to do.
    """
    log.configure()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    variables = environment.local_variables()
    require_free(environment.port, "the service")
    Path(variables["STORAGE_PATH"]).mkdir(parents=True, exist_ok=True)
    with ExitStack() as servers:
        _embed(environment, variables, servers)
        for _ in prepare(variables):
            pass
        supervisor = Supervisor(variables)
        servers.callback(supervisor.stop)
        supervisor.start("serve")
        supervisor.start("scheduler")
        if variables.get("RABBITMQ_URL"):
            supervisor.start("trigger")
        _greet(environment, variables)
        supervisor.watch(stop)
    Console().print("Stopped.")
