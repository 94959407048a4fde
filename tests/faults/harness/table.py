"""The table that every run prints, and that docs/guarantees.md shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

BEGIN = "<!-- the table of the last long run begins -->"
END = "<!-- the table of the last long run ends -->"


@dataclass
class Line:
    """What became of one fault, all times that it was tried.

    Attributes:
        recovery: longest time in seconds from the server being back to the next synced object;
            None where no server was away.
    """

    fault: str
    tried: int = 0
    accepted: int = 0
    synced: int = 0
    failed: int = 0
    lost: int = 0
    corrupt: int = 0
    duplicated: int = 0
    recovery: float | None = None

    def cells(self) -> list[str]:
        """Return the line as texts."""
        *numbers, _ = list(asdict(self).values())
        return [*map(str, numbers), "" if self.recovery is None else f"{self.recovery:.1f} s"]


HEADINGS = ["failed with reason" if f.name == "failed" else f.name for f in fields(Line)]


def merged(lines: Iterable[Line]) -> list[Line]:
    """Add up the lines of one fault, in the order of their first coming."""
    found: dict[str, Line] = {}
    for line in lines:
        total = found.setdefault(line.fault, Line(line.fault))
        for item in fields(Line)[1:-1]:
            setattr(total, item.name, getattr(total, item.name) + getattr(line, item.name))
        if line.recovery is not None:
            total.recovery = max(line.recovery, total.recovery or 0.0)
    return list(found.values())


def show(lines: Iterable[Line], title: str) -> None:
    """Print the table."""
    table = Table(title=title)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "fault" else "right")
    for line in lines:
        table.add_row(*line.cells())
    Console(width=150).print(table)


def write(lines: Iterable[Line], title: str, document: Path) -> None:
    """Put the table between the marks of a Markdown document."""
    rows = [HEADINGS, ["---"] + ["---:"] * (len(HEADINGS) - 1), *(line.cells() for line in lines)]
    body = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{title}\n\n{body}\n\n{END}{after}")
