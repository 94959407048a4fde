"""Geometry of the dashboard's plots; the template draws them as SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from functions.admin.dashboard.rates import Period
from functions.admin.web import formatting

WIDTH, HEIGHT = 600.0, 150.0
"""The plot's own units; the page scales it to the width of its card."""

FILLED = 0.72
"""Part of a step's width that its bar fills."""

BASE = 10
ROUND = (1, 2, 3, 4, 5, 6, 8, BASE)
"""Multiples of a power of ten at which a scale may end."""

TICKS = 4
"""Times along the bottom."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        x: left edge.
        y: upper edge.
        width: horizontally.
        height: vertically.
        name: of its color, a class in admin.css.
        title: what it shows, in words.
    """

    x: float
    y: float
    width: float
    height: float
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot.

    Attributes:
        bars: of a rate plot.
        lines: name and points of each line of a latency plot.
        scale: height and label of each horizontal line.
        times: position and label along the bottom.
        summary: the same in one sentence, for people who can't see it.
    """

    bars: Sequence[Bar]
    lines: Sequence[tuple[str, str]]
    scale: Sequence[tuple[float, str]]
    times: Sequence[tuple[float, str]]
    summary: str


def rate_plot(period: Period) -> Plot:
    """Return the plot of what ended in each step: synced, with retries and failed on top."""
    tallest = max((s.synced + s.retries + s.failed for s in period.steps), default=0)
    top = _round_up(tallest)
    width = WIDTH / len(period.steps)
    bars = []
    for number, step in enumerate(period.steps):
        y = HEIGHT
        for name, count in (
            ("synced", step.synced),
            ("retry", step.retries),
            ("failed", step.failed),
        ):
            if count:
                height = max(1.0, count / top * HEIGHT)
                y -= height
                x = (number + (1 - FILLED) / 2) * width
                title = f"{step.begins:%H:%M} UTC: {formatting.count(count)} {name}"
                bars.append(
                    Bar(_short(x), _short(y), _short(width * FILLED), _short(height), name, title)
                )
    total = period.total
    return Plot(
        bars=bars,
        lines=(),
        scale=[(0.0, formatting.count(top)), (HEIGHT / 2, formatting.count(top // 2))],
        times=_times(period),
        summary=f"{formatting.count(total.synced)} synced, "
        f"{formatting.count(total.retries)} {'retry' if total.retries == 1 else 'retries'}, "
        f"{formatting.count(total.failed)} failed in the {period.name}",
    )


def latency_plot(period: Period) -> Plot:
    """Return the plot of how long objects took from request to file: p50 and p95."""
    slowest = max((s.p95 or 0.0 for s in period.steps), default=0.0)
    top = 2.0 ** math.ceil(math.log2(slowest)) if slowest else 1.0
    total = period.total
    latencies = "nothing synced"
    if total.p50 is not None and total.p95 is not None:
        latencies = f"p50 {formatting.span(total.p50)}, p95 {formatting.span(total.p95)}"
    return Plot(
        bars=(),
        lines=[
            *_lines("p95", [s.p95 for s in period.steps], top),
            *_lines("p50", [s.p50 for s in period.steps], top),
        ],
        scale=[(0.0, formatting.span(top)), (HEIGHT / 2, formatting.span(top / 2))],
        times=_times(period),
        summary=f"From request to file in the {period.name}: {latencies}",
    )


def _lines(name: str, values: Sequence[float | None], top: float) -> list[tuple[str, str]]:
    """Return two SVG paths: a line through the known values, and dots for lonely ones."""
    width = WIDTH / len(values)
    line, lonely, drawing = [], [], False
    for number, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        point = f"{_short((number + 0.5) * width)},{_short(HEIGHT * (1 - value / top))}"
        followed = number + 1 < len(values) and values[number + 1] is not None
        if drawing:
            line.append(f"L{point}")
        elif followed:
            line.append(f"M{point}")
        else:
            # From a point to itself: round ends make it a dot.
            lonely.append(f"M{point}L{point}")
        drawing = True
    return [(name, "".join(line)), (f"{name} dot", "".join(lonely))]


def _times(period: Period) -> list[tuple[float, str]]:
    steps = period.steps
    every = len(steps) // TICKS
    return [
        (_short(n * WIDTH / len(steps)), f"{steps[n].begins:%H:%M}")
        for n in range(0, len(steps), every)
    ]


def _round_up(number: int) -> int:
    """Return the next even number to end a scale at: 2, 4, 6, 8, 10, 20, 30, 40, 50, 60, 80."""
    if number <= BASE:
        return max(2, number + number % 2)
    power: int = BASE ** (len(str(number)) - 1)
    return next(n * power for n in ROUND if n * power >= number)


def _short(number: float) -> float:
    return round(number, 1)
