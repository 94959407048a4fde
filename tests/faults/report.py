"""Brings the lines of the table from the tests, whichever process they ran in, to its reader."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from tests.faults.harness import table
from tests.faults.harness.table import Line

PROPERTY = "fault"


def attach(request: pytest.FixtureRequest, line: Line) -> None:
    """Add a line to a test's report; under xdist that is what crosses to the controller."""
    request.node.user_properties.append((PROPERTY, asdict(line)))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the table, and write it where `GUARANTEES` says."""
    lines = table.merged(
        Line(**value)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    )
    if not lines:
        return
    title = f"Faults, seed {os.environ.get('SEED', '1')}"
    table.show(lines, title)
    if document := os.environ.get("GUARANTEES"):
        table.write(lines, title, Path(document))
