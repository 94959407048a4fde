"""One row of the table: what was measured, against what, and whether it is enough."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """What must be reached.

    Attributes:
        limit: the number that decides.
        at_least: the figure must be no smaller; otherwise no larger.
        ratio: the limit is one of the figure's ratio to its reference, not of the figure itself.
        every: every run must reach it; otherwise their median.
    """

    limit: float
    at_least: bool = True
    ratio: bool = False
    every: bool = False

    def __str__(self) -> str:
        """Return it in words, such as "at least 2 × the reference"."""
        bound = "at least" if self.at_least else "at most"
        reference = " × the reference" if self.ratio else ""
        return f"{bound} {self.limit:g}{reference}{', every run' if self.every else ''}"

    def met(self, figure: Figure) -> bool:
        """Return whether a figure reaches it."""
        runs = figure.ratios if self.ratio else figure.runs
        judged = runs if self.every else [statistics.median(runs)] if runs else []
        return bool(judged) and all(
            one >= self.limit if self.at_least else one <= self.limit for one in judged
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure: the median of several runs.

    Attributes:
        name: what was measured.
        runs: the figure of each run.
        unit: such as "requests/s".
        target: what must be reached; None where the figure only informs.
        reference_runs: the figure of what we compare with in each run, in the same unit and taken
            right beside ours.
        against: what we compare with.
        note: what a reader must know to judge it.
    """

    name: str
    runs: Sequence[float]
    unit: str
    target: Target | None = None
    reference_runs: Sequence[float] = ()
    against: str = ""
    note: str = ""

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    @property
    def reference(self) -> float | None:
        """The median of the reference's runs."""
        return statistics.median(self.reference_runs) if self.reference_runs else None

    @property
    def ratios(self) -> list[float]:
        """Ours to the reference, in each run; empty without a reference.

        Noise of the machine that lasts longer than a run hits both and cancels out.
        """
        if not self.reference_runs:
            return []
        return [a / b for a, b in zip(self.runs, self.reference_runs, strict=True)]

    @property
    def ratio(self) -> float | None:
        """The median of the ratios."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached."""
        return self.target.met(self) if self.target else None

    def document(self) -> dict[str, Any]:
        """Return the figure as docs/benchmarks.json has it."""
        return {
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "reference": rounded(self.reference),
            "ratio": rounded(self.ratio),
            "ratios": [rounded(ratio) for ratio in self.ratios],
            "target": str(self.target) if self.target else None,
            "met": self.met,
            "against": self.against or None,
            "runs": [rounded(run) for run in self.runs],
            "reference_runs": [rounded(run) for run in self.reference_runs],
            "note": self.note or None,
        }


def rounded(number: float | None) -> float | None:
    """Round to three digits that mean something; whole from a hundred on."""
    if number is None:
        return None
    return round(number) if abs(number) >= 100 else float(f"{number:.3g}")  # noqa: PLR2004
