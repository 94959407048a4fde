"""What the doctor finds: one line for each thing that was looked at, and what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


class Level(enum.StrEnum):
    """How good or bad something is."""

    OK = "ok"
    SKIPPED = "skipped"
    """It does not apply here, or could not be looked at because of another finding."""
    WARNING = "warning"
    """It works, but not as well or as safely as it could."""
    PROBLEM = "problem"
    """It does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what was looked at, such as "queue arguments".
        level: how good it is.
        detail: what was found.
        advice: what to do, empty if nothing is to be done.
    """

    check: str
    level: Level
    detail: str
    advice: str = ""


def ok(check: str, detail: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(check, Level.OK, detail)


def skipped(check: str, detail: str) -> Finding:
    """Return why something was not looked at."""
    return Finding(check, Level.SKIPPED, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    """Return that something could be better."""
    return Finding(check, Level.WARNING, detail, advice)


def problem(check: str, detail: str, advice: str) -> Finding:
    """Return that something does not work."""
    return Finding(check, Level.PROBLEM, detail, advice)


def document(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return findings as JSON, with the worst level of all."""
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
