"""The table, on the terminal and in docs/."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from bench.figure import Figure, rounded
from bench.plan import Plan

HEAD = """# Benchmarks

Written by `make bench{how}` on {day}: {machine}, with a load average of {load:.1f} before it
began. Servers, load generator and comparison tools all ran on that machine. A figure is the median
of its runs, in brackets the lowest and the highest.
Comparison tools took turns with ours, and a ratio is the median of the ratios of neighboring runs,
so that a machine that is slow for a minute is slow for both. Nothing is switched off for the
measurement: every 201 is committed with `synchronous_commit = on` and its message confirmed by a
quorum queue, every file is hashed, synced to disk and renamed. What the figures mean is in
[performance.md](performance.md).

![ratios to the targets](benchmarks.svg)

"""
COLUMNS = ("", "figure", "reference", "ratio", "target", "met")


def table(figures: Sequence[Figure]) -> Table:
    """Return the table for a terminal."""
    made = Table(*COLUMNS, title="make bench")
    for figure in figures:
        made.add_row(*_cells(figure, more=True))
    return made


def markdown(figures: Sequence[Figure], plan: Plan, *, full: bool, load: float) -> str:
    """Return the text of docs/benchmarks.md.

    Args:
        figures: what was measured.
        plan: how much.
        full: whether it was `make bench FULL=1`.
        load: the machine's load average before that.
    """
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    lines += [_line(_cells(figure, more=True)) for figure in figures]
    notes = [f"- {figure.name}: {figure.note}." for figure in figures if figure.note]
    head = HEAD.format(
        how=" FULL=1" if full else "",
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine(),
        load=load,
    )
    foot = f"\n{plan.runs} runs each, of {plan.seconds} s where there is load.\n\n"
    return head + "\n".join(lines) + "\n" + foot + "\n".join(notes) + "\n"


def document(figures: Sequence[Figure]) -> str:
    """Return the text of docs/benchmarks.json."""
    return json.dumps([figure.document() for figure in figures], indent=2, ensure_ascii=False)


def machine() -> str:
    """Describe this machine."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().split("\n"):
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} processors ({model}), {memory} GiB of memory, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(figure: Figure, *, more: bool = False) -> list[str]:
    value = f"{_number(figure.value)} {figure.unit}"
    ratio = _number(figure.ratio)
    if more and len(figure.runs) > 1:
        value += _range(figure.runs)
        ratio += _range(figure.ratios)
    reference = ""
    if figure.reference is not None:
        reference = f"{_number(figure.reference)} {figure.unit}: {figure.against}"
    met = {True: "yes", False: "no", None: ""}[figure.met]
    target = str(figure.target or "")
    return [figure.name, value, reference, ratio, target, met]


def _range(runs: Sequence[float]) -> str:
    return f" ({_number(min(runs))} to {_number(max(runs))})" if runs else ""


def _number(number: float | None) -> str:
    shown = rounded(number)
    return "" if shown is None else f"{shown:,}"
