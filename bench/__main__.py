"""`make bench`: measure everything and write docs/benchmarks.*."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import (
    actions,
    callbacks,
    command,
    counts,
    imports,
    ingest,
    large,
    latency,
    lookup,
    memory,
    plot,
    reconcile,
    recovery,
    report,
    scrub,
    search,
    shim,
    throughput,
)
from bench.figure import Figure
from bench.libraries import part as libraries
from bench.plan import FULL, SMALL, Plan
from bench.setting import Setting
from bench.stack import ROOT, Stack
from bench.tools import require_tools

PARTS = {
    "ingest": ingest.measure,
    "throughput": throughput.measure,
    "large": large.measure,
    "latency": latency.measure,
    "counts": counts.measure,
    "lookup": lookup.measure,
    "search": search.measure,
    "actions": actions.measure,
    "recovery": recovery.measure,
    "reconcile": reconcile.measure,
    "scrub": scrub.measure,
    "callbacks": callbacks.measure,
    "memory": memory.measure,
    "shim": shim.measure,
    "imports": imports.measure,
}
ON_REQUEST = {"libraries": libraries.measure}
"""For the decision records, when they are read again: no part of docs/benchmarks.*."""


def main() -> None:
    """Measure, print the table, and write it where everything was measured."""
    parser = command.parser("bench")
    parser.add_argument("--full", action="store_true", help="ten million rows, 5 GiB, an hour")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, *ON_REQUEST], default=list(PARTS))
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=NUMBER", help="other numbers of bench/plan.py"
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder to write to")
    given = parser.parse_args()
    try:
        plan = (FULL if given.full else SMALL).with_changes(given.set)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    console = Console(stderr=True)
    load = os.getloadavg()[0]
    with command.scratch(given.scratch) as folder:
        left_out = require_tools(given.only, wheels=True)
        for part, texts in left_out.items():
            console.print(f"Left out: {part}, which needs {', '.join(texts)}", markup=False)
        measured = [part for part in PARTS | ON_REQUEST if part in {*given.only} - {*left_out}]
        figures = _measure(measured, folder, console, plan)
    Console(width=None if sys.stdout.isatty() else 200).print(report.table(figures))
    if set(measured) == set(PARTS) and not given.set:
        text = report.markdown(figures, plan, full=given.full, load=load)
        (given.docs / "benchmarks.md").write_text(text)
        (given.docs / "benchmarks.json").write_text(report.document(figures) + "\n")
        (given.docs / "benchmarks.svg").write_text(plot.svg(figures))
    else:
        console.print("Not everything was measured as planned: nothing is written.")


def _measure(parts: Sequence[str], folder: Path, console: Console, plan: Plan) -> list[Figure]:
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )

    def step(what: str, number: int) -> Callable[[int], None]:
        task = bars.add_task(what, total=number)
        return lambda done: bars.advance(task, done)

    with bars, Stack(folder) as stack:
        setting = Setting(plan, stack, folder, step)
        return [figure for part in parts for figure in (PARTS | ON_REQUEST)[part](setting)]


if __name__ == "__main__":
    main()
