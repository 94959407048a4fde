"""The service as it is measured: real servers and the processes that `./sync` starts."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Self

from local.environment import LocalEnvironment
from local.servers.memcached import MemcachedServer
from local.servers.ports import answers, free_port
from local.servers.postgres import PostgresServer, native_binaries
from local.servers.process import Command, Process
from local.servers.rabbitmq import RabbitPorts, RabbitServer
from local.servers.server import Server
from shared.passwords import hash_password
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare

ROOT = Path(__file__).parents[1]
READY_SECONDS = 120.0
NO_LIMIT = "1000000/s"
"""Never reached by one generator, yet counted: a limit that is off would cost nothing."""


class Stack:
    """Private PostgreSQL, RabbitMQ and memcached in a folder; a context manager.

    Args:
        folder: where everything of them lives.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secret = secrets.token_hex(32)
        self.postgres = PostgresServer(folder / "postgres", free_port(), native_binaries())
        ports = RabbitPorts(*(free_port() for _ in range(4)))
        self.rabbitmq = RabbitServer(folder / "rabbitmq", ports)
        self.memcached = MemcachedServer(folder / "memcached", free_port())
        self._started = ExitStack()

    def __enter__(self) -> Self:
        """Start the servers."""
        with ExitStack() as started:
            servers: Sequence[Server] = (self.postgres, self.rabbitmq, self.memcached)
            for server in servers:
                server.start()
                started.callback(server.stop)
            for server in servers:
                server.wait_ready(READY_SECONDS)
            declare(self.rabbitmq.url, "quorum")
            self._started = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them."""
        self._started.close()

    @cached_property
    def queue(self) -> BrokerQueue:
        """The queue, for what publishes without a request, and for its depth."""
        return BrokerQueue(self.rabbitmq.url)

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the servers, by name."""
        servers: dict[str, Server] = {
            "PostgreSQL": self.postgres,
            "RabbitMQ": self.rabbitmq,
            "memcached": self.memcached,
        }
        return {name: server.pid or 0 for name, server in servers.items()}

    def empty_queue(self) -> None:
        """Throw away what waits."""
        self.rabbitmq.control("purge_queue", "sync").run()

    def variables(self, database_url: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of the service's processes.

        Args:
            database_url: of the ledger that they use.
            more: further settings.
        """
        return {
            "PATH": os.environ["PATH"],
            "SECRET_KEY": self.secret,
            "DATABASE_URL": database_url,
            "RABBITMQ_URL": self.rabbitmq.url,
            "MEMCACHED_URL": self.memcached.address,
            "RATE_LIMIT_CLIENT": NO_LIMIT,
            "RATE_LIMIT_GET": NO_LIMIT,
            "DATA_DIR": str(self.folder / "data"),
            "STORAGE_PATH": str(self.folder / "storage"),
            "ADMIN_PASSWORD_HASH": hash_password(secrets.token_hex(16)),
            **(more or {}),
        }


@contextmanager
def running(
    name: str, arguments: Sequence[str], variables: Mapping[str, str], folder: Path, port: int = 0
) -> Iterator[int]:
    """Run a Python process of this project.

    Args:
        name: names its log.
        arguments: what follows `python`.
        variables: its environment.
        folder: of its log.
        port: where it answers HTTP; 0 where it does not.

    Yields:
        Its process id, once it answers.
    """
    process = Process(name, folder)
    command = Command((sys.executable, *arguments), {**variables, "PORT": str(port)}, None, ROOT)
    process.start(command, port or None)
    try:
        if port:
            request = b"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n"
            process.wait_until(lambda: answers(port, request, b"HTTP/1.1 404"), READY_SECONDS)
        yield process.pid or 0
    finally:
        process.stop()


@contextmanager
def serving(variables: Mapping[str, str], folder: Path, name: str) -> Iterator[tuple[int, int]]:
    """Run the HTTP server in front of the functions, and yield its process id and port."""
    port = free_port()
    with running(name, ("-m", "local", "serve"), variables, folder, port) as pid:
        yield pid, port


@contextmanager
def triggering(variables: Mapping[str, str], folder: Path) -> Iterator[list[int]]:
    """Run the workers behind RabbitMQ, as many as there are by default, and yield process ids."""
    number = LocalEnvironment(ROOT, variables).triggers
    arguments = ("-m", "local", "trigger")
    with ExitStack() as started:
        yield [
            started.enter_context(running(f"trigger-{n + 1}", arguments, variables, folder))
            for n in range(number)
        ]
