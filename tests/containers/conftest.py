"""Tests in containers take minutes and need an engine: they have make targets of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.containers.engine import OwnEngine, engine

collect_ignore_glob = [] if os.environ.get("CONTAINERS") else ["test_*.py"]


@pytest.fixture(scope="session", name="engine")
def container_engine() -> Iterator[OwnEngine | None]:
    """The container engine; None is one that the machine has."""
    with engine() as own:
        yield own
