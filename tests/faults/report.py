"""Brings the lines of the table from the tests, whichever process they ran in, to its reader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from tests.faults.harness import table
from tests.faults.harness.table import Line

PROPERTY = "fault"


def attach(request: pytest.FixtureRequest, line: Line) -> None:
    """Add a line to a test's report; under xdist that is what crosses to the controller."""
    request.node.user_properties.append((PROPERTY, asdict(line)))


def attached(terminalreporter: TerminalReporter, name: str) -> Iterator[Any]:
    """Yield the values of a property of every test's report."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if getattr(report, "when", "") == "call":
                yield from (value for key, value in report.user_properties if key == name)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the table, and write it where `GUARANTEES` says."""
    lines = table.merged(Line(**value) for value in attached(terminalreporter, PROPERTY))
    if not lines:
        return
    title = f"Faults, seed {os.environ.get('SEED', '1')}"
    table.show(lines, title)
    if document := os.environ.get("GUARANTEES"):
        table.write(lines, title, Path(document))
