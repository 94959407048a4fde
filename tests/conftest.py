"""Fixtures that give a test real servers of its own.

A missing server skips the test with its reason; with CI=true it fails instead.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from local.servers.errors import ProgramMissing
from local.servers.memcached import MemcachedServer
from local.servers.server import Server
from tests.faults.report import pytest_terminal_summary
from tests.helpers.missing import missing
from tests.helpers.servers import ADDRESS_VARIABLE, TEMPLATE, Host, ask, execute, free_port
from tests.helpers.sqs import KEYS, SqsQueues
from tests.helpers.virtual_host import virtual_host

__all__ = ["pytest_terminal_summary"]  # a hook: pytest finds it here

FAULTS = Path(__file__).with_name("faults")
HOST = pytest.StashKey[Host]()
AnyServer = TypeVar("AnyServer", bound="Server")


# A busy machine is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        # Ended by SIGTERM it stops its servers, as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        config.stash[HOST] = Host()
        os.environ[ADDRESS_VARIABLE] = config.stash[HOST].address


def pytest_unconfigure(config: pytest.Config) -> None:
    host = config.stash.get(HOST, None)
    if host:
        host.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the faults: they wait longer than they compute, so the others run beside them.

    pytest-xdist gives each process one run of tests, and moves those at its end to idle processes.
    """
    items.sort(key=lambda item: FAULTS not in item.path.parents)


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Give the next test the log as this one found it: a process that is set up changes it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def _shared(name: str) -> dict[str, Any]:
    try:
        return ask(name)
    except ProgramMissing as error:
        missing(error.about)
        raise


@pytest.fixture
def start_server() -> Iterator[Callable[[AnyServer], AnyServer]]:
    """Start a server that is the test's own, to be stopped or killed as it likes."""
    started: list[Server] = []

    def start(server: AnyServer) -> AnyServer:
        try:
            started.append(server)
            server.start()
        except ProgramMissing as error:
            missing(error.about)
        server.wait_ready(120.0)
        return server

    yield start
    for server in reversed(started):
        server.stop()


def _database(template: str) -> Iterator[str]:
    admin = str(_shared("postgres")["url"])
    name = f"test_{uuid.uuid4().hex}"
    execute(admin, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield admin.rpartition("/")[0] + f"/{name}"
    execute(admin, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    yield from _database("template0")


@pytest.fixture
def database_url() -> Iterator[str]:
    """The URL of a migrated, empty ledger of the test's own."""
    yield from _database(TEMPLATE)


@pytest.fixture
def rabbitmq_url() -> Iterator[str]:
    """The URL of an empty virtual host of the test's own."""
    with virtual_host(_shared("rabbitmq")) as url:
        yield url


@pytest.fixture
def silent_url() -> Iterator[str]:
    """The URL of a broker that takes connections and says nothing, as a frozen one does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"amqp://guest:guest@127.0.0.1:{server.getsockname()[1]}/"


@pytest.fixture
def memcached_server(
    tmp_path: Path, start_server: Callable[[MemcachedServer], MemcachedServer]
) -> MemcachedServer:
    """A memcached of the test's own; it may stop and start it."""
    return start_server(MemcachedServer(tmp_path / "memcached", free_port()))


@pytest.fixture
def memcached_address(memcached_server: MemcachedServer) -> tuple[str, int]:
    """Host and port of a memcached of the test's own."""
    host, _, port = memcached_server.address.partition(":")
    return host, int(port)


@pytest.fixture
def s3_endpoint() -> str:
    """The URL of an S3 that all tests share: use a bucket name of your own."""
    return str(_shared("s3")["endpoint"])


@pytest.fixture
def aws_endpoint() -> str:
    """The URL of an AWS that all tests share, Secrets Manager included: use names of your own."""
    return str(_shared("aws")["endpoint"])


@pytest.fixture
def sqs(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> SqsQueues:
    """Two queues of the test's own on Amazon SQS, and the credentials for them."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return SqsQueues(aws_endpoint)
