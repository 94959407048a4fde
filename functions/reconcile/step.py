"""One step of a run: what was found since the step before, and where to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from shared.ledger.runs import Finding

Position = Mapping[str, Any]
"""Where a run goes on, as JSON: `phase`, and what that phase needs."""


@dataclass(slots=True)
class Step:
    """A step.

    Attributes:
        position: behind it.
        counts: what it adds to the run's numbers.
        findings: what it reports.
        again: rows to be fetched again.
        anew: whether what the steps before have found does not count.
    """

    position: Position
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    anew: bool = False


def packed(name: str) -> str:
    """Return a name as JSON in PostgreSQL can hold it: it has neither NUL nor lone surrogates."""
    return quote(name, errors="surrogateescape")


def unpacked(text: str) -> str:
    """Return the name that was packed."""
    return unquote(text, errors="surrogateescape")
