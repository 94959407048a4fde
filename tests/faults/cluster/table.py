"""The table of the faults of machines, which docs/guarantees.md shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.harness.check import Verdict

BEGIN = "<!-- the table of the last run on machines begins -->"
END = "<!-- the table of the last run on machines ends -->"

HEADINGS = (
    "fault",
    "accepted",
    "synced",
    "lost",
    "wrong",
    "double",
    "503",
    "no answer",
    "slowest answer",
    "accepting again after",
    "copying again after",
    "at rest after",
)


@dataclass
class Line:
    """What became of one fault.

    Attributes:
        refused: answers 503, and `unanswered` none; their requests were sent again.
        slowest: seconds until the slowest answer.
        accepting: seconds from the fault until requests were accepted at 90 % of the usual rate.
        copying: the same for objects synced.
        rest: seconds from the end of the load until nothing was left to do.
    """

    fault: str
    accepted: int = 0
    synced: int = 0
    lost: int = 0
    wrong: int = 0
    double: int = 0
    refused: int = 0
    unanswered: int = 0
    slowest: float = 0.0
    accepting: float = 0.0
    copying: float = 0.0
    rest: float = 0.0

    def take(self, verdict: Verdict) -> None:
        """Take the counts of a verdict."""
        self.accepted, self.synced = verdict.accepted, verdict.synced
        self.lost, self.wrong, self.double = verdict.lost, verdict.corrupt, verdict.duplicated

    def cells(self) -> list[str]:
        """Return the line as texts."""
        values = asdict(self).values()
        return [f"{v:.1f} s" if isinstance(v, float) else str(v) for v in values]


def write(lines: Sequence[Line], document: Path) -> None:
    """Put the table between the marks of a Markdown document."""
    rows = [list(HEADINGS), ["---"] + ["---:"] * (len(HEADINGS) - 1), *(n.cells() for n in lines)]
    body = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}")
