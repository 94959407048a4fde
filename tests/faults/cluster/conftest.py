"""The faults of machines: tests that need a container engine and half an hour."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from tests.faults.cluster import table
from tests.faults.cluster.cluster import Cluster
from tests.faults.cluster.engine import docker
from tests.faults.cluster.table import Line
from tests.faults.cluster.trial import Arena
from tests.faults.report import attached
from tests.helpers.missing import missing

PROPERTY = "fault of machines"
SWITCH = "CLUSTER"
"""Variable that asks for these tests: `make faults-cluster` sets it."""

NEEDED = ["test_containers.py", "test_lost.py", "test_machines.py"]
collect_ignore = [] if os.environ.get(SWITCH) else NEEDED


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three machines, for all tests."""
    if shutil.which("docker") is None or not docker("info", check=False):
        missing("a container engine that docker reaches")
    image = os.environ.get("CLUSTER_IMAGE", "")
    if kept := os.environ.get("CLUSTER_FOLDER"):  # for the next run, and to be looked at
        yield Cluster(Path(kept), image, ports=(28001, 28002, 28006))
        return
    with tempfile.TemporaryDirectory(prefix="sync-cluster-") as folder:
        found = Cluster(Path(folder), image)
        yield found
        found.close()


@pytest.fixture
def machines(cluster: Cluster, request: pytest.FixtureRequest) -> Arena:
    """Where faults are tried."""

    def note(line: Line) -> None:
        request.node.user_properties.append((PROPERTY, asdict(line)))
        reporter = request.config.pluginmanager.get_plugin("terminalreporter")
        assert isinstance(reporter, TerminalReporter)
        reporter.write_line("\n" + " | ".join(line.cells()))

    return Arena(cluster, note, int(os.environ.get("SEED", "1")))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Write the table where `GUARANTEES` says."""
    lines = [Line(**value) for value in attached(terminalreporter, PROPERTY)]
    for line in lines:
        terminalreporter.write_line(" | ".join(line.cells()))
    if lines and (document := os.environ.get("GUARANTEES")):
        table.write(lines, Path(document))
