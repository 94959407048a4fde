"""Private real servers for the tests, each started at its first use and shared by all workers.

The pytest process that was started by hand (under xdist the controller) runs a `Host`. Tests ask
it over a Unix socket, whichever process they are in, and it stops everything at the end. It runs
the servers from threads that last as long as itself, because on Linux a server ends with the
thread that started it: nothing is left even when that process is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection

from local.servers.errors import ProgramMissing
from local.servers.postgres import PostgresServer, embedded_binaries
from local.servers.rabbitmq import RabbitPorts, RabbitServer
from local.servers.running import Record, Running
from local.servers.s3 import S3Server
from local.servers.server import Server
from shared.ledger.migrate import migrate
from tests.helpers.moto_server import MotoServer

ADDRESS_VARIABLE = "TEST_SERVERS"
TEMPLATE = "ledger"
PREFIX = "sync-tests-"
OWNER = "owner.pid"
START_SECONDS = 300.0
"""A busy machine takes a while, above all for the first one who asks for a server."""

STATEMENT_SECONDS = 120
# Below the ports that connections and bind(0) are given (ip(7): ip_local_port_range), so that no
# other process comes by one between its choice and its use; and below the service's own.
PORTS = range(10_240, 26_900)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing uses."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def ask(server: str) -> dict[str, Any]:
    """Return what is needed to use a shared server, which the host starts if need be.

    Args:
        server: a key of `STARTERS`.

    Raises:
        ProgramMissing: it is not installed.
        RuntimeError: it could not be started.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(START_SECONDS)
        connection.connect(os.environ[ADDRESS_VARIABLE])
        connection.sendall(server.encode() + b"\n")
        with connection.makefile() as answer:
            details: dict[str, Any] = json.loads(answer.readline())
    if "missing" in details:
        raise ProgramMissing(details["missing"])
    if "error" in details:
        raise RuntimeError(details["error"])
    return details


def connect(url: str) -> connection:
    """Connect to PostgreSQL; a statement that waits for a lock for too long is an error."""
    return psycopg2.connect(url, options=f"-c statement_timeout={STATEMENT_SECONDS}s")


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of one SQL statement."""
    with contextlib.closing(psycopg2.connect(url)) as opened, opened.cursor() as cursor:
        cursor.execute(sql)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def execute(url: str, *statements: str) -> None:
    """Run SQL, each statement by itself."""
    with contextlib.closing(connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def _postgres(folder: Path) -> tuple[Server, dict[str, Any]]:
    quick = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}
    server = PostgresServer(folder, free_port(), embedded_binaries(), options=quick)
    server.start()
    server.wait_ready()
    execute(server.url, f"CREATE DATABASE {TEMPLATE}")
    migrate(server.url.rpartition("/")[0] + f"/{TEMPLATE}", with_roles=True)
    return server, {"url": server.url}


def _rabbitmq(folder: Path) -> tuple[Server, dict[str, Any]]:
    server = RabbitServer(folder, RabbitPorts(*(free_port() for _ in range(4))))
    server.start()
    server.wait_ready()
    return server, {"url": server.url, "management": server.management_url}


def _s3(folder: Path) -> tuple[Server, dict[str, Any]]:
    server = S3Server(folder, free_port())
    server.start()
    server.wait_ready()
    return server, {"endpoint": server.endpoint}


def _aws(folder: Path) -> tuple[Server, dict[str, Any]]:
    server = MotoServer(folder, free_port())
    server.start()
    server.wait_ready()
    return server, {"endpoint": server.endpoint}


STARTERS: dict[str, Callable[[Path], tuple[Server, dict[str, Any]]]] = {
    "postgres": _postgres,
    "rabbitmq": _rabbitmq,
    "s3": _s3,
    "aws": _aws,
}


class _Socket(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    host: Host


class _Request(socketserver.StreamRequestHandler):
    server: _Socket

    def handle(self) -> None:
        name = self.rfile.readline().decode().strip()
        self.wfile.write(json.dumps(self.server.host.details(name)).encode() + b"\n")


class Host:
    """Starts servers on request and stops them all at the end."""

    def __init__(self) -> None:
        _sweep()
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        ours = Running.of(os.getpid())
        if ours:
            Record(ours, None).save(self._folder / OWNER)
        self._threads = ThreadPoolExecutor(len(STARTERS))
        self._started: dict[str, Future[tuple[Server, dict[str, Any]]]] = {}
        self._lock = threading.Lock()
        self.address = str(self._folder / "socket")
        self._socket = _Socket(self.address, _Request)
        self._socket.host = self
        self._accepting = threading.Thread(target=self._socket.serve_forever, args=(0.1,))
        self._accepting.start()

    def details(self, name: str) -> dict[str, Any]:
        """Start a server at the first call, and return how to use it or why it is not there."""
        with self._lock:
            if name not in self._started:
                starter = STARTERS[name]
                self._started[name] = self._threads.submit(starter, self._folder / name)
        try:
            return self._started[name].result()[1]
        except ProgramMissing as error:
            return {"missing": error.about}
        except Exception as error:  # goes to the test that asked  # noqa: BLE001
            return {"error": repr(error)}

    def close(self) -> None:
        """Kill what runs, its data being of no further use, and remove every file."""
        self._socket.shutdown()
        self._accepting.join()
        self._socket.server_close()
        for started in self._started.values():
            if started.exception() is None:
                server = started.result()[0]
                if server.pid and not isinstance(server, PostgresServer):
                    os.kill(server.pid, signal.SIGKILL)  # PostgreSQL would leave shared memory
                server.stop()
        self._threads.shutdown()
        shutil.rmtree(self._folder)


def _sweep() -> None:
    """Remove the folders of hosts that were killed; their servers ended with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        record = Record.load(folder / OWNER)
        if record and not record.server.alive:
            shutil.rmtree(folder, ignore_errors=True)
