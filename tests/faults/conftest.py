"""The fault suite's two forms, and its one stack a process."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from local.servers.errors import ProgramMissing
from tests.faults.harness.arena import Arena
from tests.faults.harness.stack import Stack
from tests.faults.report import attach
from tests.helpers.missing import missing
from tests.helpers.servers import ask
from tests.helpers.virtual_host import virtual_host

LONG = os.environ.get("FAULTS") == "long"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the long form does."""
    if not LONG:
        kept = [item for item in items if item.get_closest_marker("faults") is None]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


@pytest.fixture(scope="session")
def seed() -> int:
    """Decides everything that chance decides; `make faults SEED=…`."""
    return int(os.environ.get("SEED", "1"))


@pytest.fixture(scope="session")
def long() -> bool:
    """Whether this is the long form, `make faults`."""
    return LONG


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The service, for all tests of this process.

    The long form has a RabbitMQ of its own, to be stopped and killed. The short one takes a
    virtual host of the tests' shared server, which starts once instead of once a process.
    """
    with tempfile.TemporaryDirectory(prefix="sync-faults-") as folder:
        # PostgreSQL has an account of its own when we are root, and must find its data.
        Path(folder).chmod(0o755)
        try:
            broker = contextlib.nullcontext() if LONG else virtual_host(ask("rabbitmq"))
            with broker as url:
                stack = Stack(Path(folder), url)
                try:
                    yield stack
                finally:
                    stack.close()
        except ProgramMissing as error:
            missing(error.about)


@pytest.fixture
def arena(stack: Stack, seed: int, request: pytest.FixtureRequest) -> Arena:
    """Where faults are tried."""
    stack.start()
    return Arena(stack, partial(attach, request), seed)


@pytest.fixture
def unlimited(arena: Arena) -> Iterator[Arena]:
    """The service without its limit on wrong signatures, which would answer most of a fuzzing."""
    with arena.stack.served_with(RATE_LIMIT_UNSIGNED="off"):
        yield arena


@pytest.fixture
def two_tries(arena: Arena) -> Iterator[Arena]:
    """The service with two attempts an object, so that what is hopeless is soon given up."""
    arena.stack.trigger.change(MAX_ATTEMPTS="2")
    arena.stack.scheduler.change(MAX_ATTEMPTS="2")
    arena.stack.trigger.restart()
    arena.stack.scheduler.restart()
    yield arena
    for service in (arena.stack.trigger, arena.stack.scheduler):
        service.change(MAX_ATTEMPTS=arena.stack.variables["MAX_ATTEMPTS"])
        service.restart()
