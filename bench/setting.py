"""What every measurement is given: sizes, servers, ledgers, a place for files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench import ledgers
from bench.plan import Plan
from bench.stack import Stack


@dataclass(frozen=True)
class Setting:
    """What a measurement is given.

    Attributes:
        plan: how much is measured.
        stack: the servers.
        folder: for files; on the disk that is measured.
        step: begins a step of so many parts, shown as a bar; gives what is called with the
            number of parts that are done.
    """

    plan: Plan
    stack: Stack
    folder: Path
    step: Callable[[str, int], Callable[[int], None]]

    @cached_property
    def few(self) -> str:
        """The URL of a ledger with few rows."""
        return self._ledger("few", self.plan.few_rows)

    @cached_property
    def many(self) -> str:
        """The URL of a ledger with many rows."""
        return self._ledger("many", self.plan.many_rows)

    def runs(self, what: str) -> Iterator[int]:
        """Count the runs, showing how far they are."""
        done = self.step(what, self.plan.runs)
        for number in range(self.plan.runs):
            yield number
            done(1)

    def _ledger(self, name: str, rows: int) -> str:
        done = self.step(f"ledger of {rows:,} rows", rows)
        return ledgers.make(self.stack.postgres.url, name, rows, done)
