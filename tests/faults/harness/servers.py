"""The private servers of one stack, each behind a proxy."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from local.servers.memcached import MemcachedServer
from local.servers.ports import answers
from local.servers.postgres import PostgresServer, embedded_binaries
from local.servers.process import Command, Process
from local.servers.rabbitmq import RabbitPorts, RabbitServer
from local.servers.server import Server
from tests.faults.harness import object_store
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port
from tests.helpers.tcp_proxy import TcpProxy


class ObjectStore:
    """The misbehaving S3 as a process."""

    name = "S3"

    def __init__(self, folder: Path, port: int) -> None:
        self._port = port
        self._process = Process("store", folder)

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        return self._process.pid

    def start(self) -> None:
        """Start it; its objects are the same each time."""
        if not self._process.take_over():
            program = (sys.executable, "-m", object_store.__name__, str(self._port))
            variables = {"PATH": os.defpath, "PYTHONPATH": str(ROOT)}
            self._process.start(Command(program, variables), self._port)

    def wait_ready(self, timeout: float = 20.0) -> None:
        """Wait until it answers."""
        self._process.wait_until(lambda: answers(self._port, b"", b""), timeout)

    def stop(self) -> None:
        """Stop it."""
        self._process.stop()

    def set_everywhere(self, everywhere: object_store.Everywhere) -> None:
        """Decide what every object meets."""
        url = f"http://127.0.0.1:{self._port}/{object_store.CONTROL}/{everywhere}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # our own
            answer.read()


class Faulty:
    """A server, the proxy before it, and the ways to hurt it.

    Args:
        server: may be None where it is shared with others, and only its proxy may be touched.
        url: its URL.
    """

    def __init__(self, name: str, server: Server | None, url: str) -> None:
        self.name = name
        self.proxy = TcpProxy(url, free_port())
        self._server = server

    @property
    def port(self) -> int:
        """Where the service finds it."""
        return self.proxy.port

    @property
    def server(self) -> Server:
        """The server itself.

        Raises:
            RuntimeError: it is shared with others.
        """
        if self._server is None:
            raise RuntimeError(f"{self.name} is shared: only its proxy may be touched")
        return self._server

    def stop(self) -> None:
        """Stop it in order."""
        self.server.stop()

    def kill(self) -> None:
        """Kill it and its children with SIGKILL."""
        if pid := self.server.pid:
            os.killpg(pid, signal.SIGKILL)
        self.server.stop()

    def start(self) -> None:
        """Start it with the data that it had, and wait until it answers."""
        self.server.start()
        self.server.wait_ready(120.0)

    def freeze(self) -> Callable[[], None]:
        """Stop all its processes from running; return what lets them go on.

        Raises:
            RuntimeError: it does not run.
        """
        pid = self.server.pid
        if pid is None:
            raise RuntimeError(f"{self.name} does not run")
        group = descendants(pid)
        send(group, signal.SIGSTOP)
        return lambda: send(group, signal.SIGCONT)

    def close(self) -> None:
        """End proxy and server."""
        self.proxy.close()
        if self._server is not None:
            self._server.stop()


def descendants(leader: int) -> list[int]:
    """Return a process and its descendants: PostgreSQL's lead process groups of their own."""
    found, last = [leader], [leader]
    while last:
        children = [
            child
            for pid in last
            for task in Path(f"/proc/{pid}/task").glob("*")
            for child in _children(task)
        ]
        found += children
        last = children
    return found


def send(pids: Sequence[int], number: int) -> None:
    """Send a signal to processes; one that has ended meanwhile keeps it from no other."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _children(task: Path) -> list[int]:
    try:
        return [int(child) for child in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []


class Servers:
    """PostgreSQL, memcached and S3 of the stack's own, RabbitMQ its own or a shared one.

    Args:
        folder: of data and logs.
        rabbitmq_url: a virtual host of a shared RabbitMQ; without it one is started.
    """

    def __init__(self, folder: Path, rabbitmq_url: str | None = None) -> None:
        self._postgres = PostgresServer(folder, free_port(), embedded_binaries())
        memcached = MemcachedServer(folder, free_port())
        store_port = free_port()
        store = ObjectStore(folder, store_port)
        ports = RabbitPorts(*(free_port() for _ in range(4)))
        rabbitmq = None if rabbitmq_url else RabbitServer(folder, ports)
        own = [server for server in (rabbitmq, self._postgres, memcached, store) if server]
        try:
            for server in own:
                server.start()
            for server in own:
                server.wait_ready(120.0)
        except BaseException:
            for server in own:
                server.stop()
            raise
        self._rabbitmq_url = rabbitmq_url or (rabbitmq.url if rabbitmq else "")
        self.postgres = Faulty("PostgreSQL", self._postgres, self._postgres.url)
        self.memcached = Faulty("memcached", memcached, f"tcp://{memcached.address}")
        self.object_store = store
        self.store = Faulty("S3", store, f"http://127.0.0.1:{store_port}")
        self.rabbitmq = Faulty("RabbitMQ", rabbitmq, self._rabbitmq_url)
        self.all = [self.postgres, self.memcached, self.store, self.rabbitmq]

    @property
    def database_url(self) -> str:
        """The ledger's URL, past the proxy."""
        return self._postgres.url

    @property
    def broker_url(self) -> str:
        """The broker's URL, past the proxy."""
        return self._rabbitmq_url

    def variables(self) -> dict[str, str]:
        """Return the settings that lead the service through the proxies."""
        return {
            "DATABASE_URL": self.postgres.proxy.url,
            "RABBITMQ_URL": self.rabbitmq.proxy.url,
            "MEMCACHED_URL": self.memcached.proxy.url.removeprefix("tcp://"),
            "AWS_ENDPOINT_URL_S3": self.store.proxy.url,
        }

    def close(self) -> None:
        """End all of them."""
        for faulty in self.all:
            faulty.close()
