"""Findings of `./sync doctor`: the result of each check, and what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


class Level(enum.StrEnum):
    """How serious a finding is."""

    OK = "ok"
    SKIPPED = "skipped"
    """The check does not apply here, or another finding made it impossible."""
    WARNING = "warning"
    """It works, but not as well or as safely as it should."""
    PROBLEM = "problem"
    """It does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was examined, such as "queue arguments".
        level: how serious it is.
        detail: what was found.
        advice: what to do, empty if there is nothing to do.
    """

    check: str
    level: Level
    detail: str
    advice: str = ""


def ok(check: str, detail: str) -> Finding:
    """Return the finding that something is as it should be."""
    return Finding(check, Level.OK, detail)


def skipped(check: str, detail: str) -> Finding:
    """Return the finding that something was not examined, and why."""
    return Finding(check, Level.SKIPPED, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    """Return the finding that something could be better."""
    return Finding(check, Level.WARNING, detail, advice)


def problem(check: str, detail: str, advice: str) -> Finding:
    """Return the finding that something does not work."""
    return Finding(check, Level.PROBLEM, detail, advice)


def document(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return findings as JSON, with the worst of their levels."""
    found = list(findings)
    levels = {finding.level for finding in found}
    worst = next((level for level in reversed(Level) if level in levels), Level.OK)
    return {
        "status": Level.OK if worst is Level.SKIPPED else worst,
        "findings": [asdict(finding) for finding in found],
    }


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Return whether no finding is a problem."""
    return all(finding.level is not Level.PROBLEM for finding in findings)
