"""`make bench`: measure everything and write docs/benchmarks.*."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import counts, imports, ingest, large, latency, plot, report, shim, throughput
from bench.figure import Figure
from bench.libraries import part as libraries
from bench.plan import FULL, SMALL
from bench.setting import Setting
from bench.stack import ROOT, Stack
from bench.tools import require_tools
from shared.errors import ServiceError

PARTS = {
    "ingest": ingest.measure,
    "throughput": throughput.measure,
    "large": large.measure,
    "latency": latency.measure,
    "counts": counts.measure,
    "shim": shim.measure,
    "imports": imports.measure,
}
ON_REQUEST = {"libraries": libraries.measure}
"""For the decision records, when they are read again: no part of docs/benchmarks.*."""


def main() -> None:
    """Measure, print the table, and write it where everything was measured."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--full", action="store_true", help="ten million rows, 5 GiB")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, *ON_REQUEST], default=list(PARTS))
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder to write to")
    parser.add_argument("--scratch", type=Path, help="folder on the disk to measure")
    given = parser.parse_args()
    plan = FULL if given.full else SMALL
    # A terminated run cleans up like an interrupted one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logging.getLogger().setLevel(logging.ERROR)
    console = Console(stderr=True)
    try:
        require_tools(given.only)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=given.scratch) as folder:
            figures = _measure(given.only, Path(folder), console, full=given.full)
    except ServiceError as error:
        sys.exit(str(error))
    Console(width=None if sys.stdout.isatty() else 200).print(report.table(figures))
    if set(given.only) == set(PARTS):
        (given.docs / "benchmarks.md").write_text(report.markdown(figures, plan, full=given.full))
        (given.docs / "benchmarks.json").write_text(report.document(figures) + "\n")
        (given.docs / "benchmarks.svg").write_text(plot.svg(figures))
    else:
        console.print("Not everything was measured: nothing is written.")


def _measure(only: list[str], folder: Path, console: Console, *, full: bool) -> list[Figure]:
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )

    def step(what: str, parts: int) -> Callable[[int], None]:
        task = bars.add_task(what, total=parts)
        return lambda done: bars.advance(task, done)

    figures = []
    with bars, Stack(folder) as stack:
        setting = Setting(FULL if full else SMALL, stack, folder, step)
        for name, measure in (PARTS | ON_REQUEST).items():
            if name in only:
                figures += list(measure(setting))
    return figures


if __name__ == "__main__":
    main()
