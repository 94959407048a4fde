"""Geometry of the dashboard's chart; the template draws it as SVG. Pure.

Two plots over one time axis: above what ended in each step, below how long it took. Each step is a
link to the files of its time, and has its values in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.admin import addresses
from functions.admin.dashboard.periods import DAY, Span, ticks
from functions.admin.dashboard.rates import Period, Step
from functions.admin.web import formatting

WIDTH, UPPER, GAP, LOWER = 600.0, 150.0, 26.0, 90.0
"""The chart's own units: its width, and the heights of both plots and between them. The page scales
it to its card."""

HEIGHT = UPPER + GAP + LOWER

FILLED = 0.72
"""Part of a step's width that its bar fills."""

BASE = 10
ROUND = (1, 2, 3, 4, 5, 6, 8, BASE)
"""Multiples of a power of ten at which a scale may end."""

ROUND_SECONDS = (
    0.2, 0.4, 1, 2, 4, 10, 20, 60, 120, 240, 600, 1200, 3600, 7200, 14_400, 43_200, 86_400,
    172_800,
)  # fmt: skip
"""Seconds at which a scale of time may end: their halves are round, too."""

MOMENT = "%Y-%m-%dT%H:%M"
"""Of the list's filter, in UTC."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its upper edge, its height, and the class of its color in admin.css."""

    y: float
    height: float
    name: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One step.

    Attributes:
        x: left edge.
        url: the list of the files of its time.
        time: in words.
        values: in words, for people who can't see it.
        bars: synced at the bottom, retries and failed on top.
    """

    x: float
    url: str
    time: str
    values: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Chart:
    """The chart.

    Attributes:
        width: of a step.
        bar: left edge of a bar within its step, and its width.
        steps: in order.
        lines: class and points of each line.
        scale: position in percent from above and label, of both plots.
        times: position in percent from the left and label.
        summary: the whole period in one sentence.
    """

    width: float
    bar: tuple[float, float]
    steps: Sequence[Drawn]
    lines: Sequence[tuple[str, str]]
    scale: Sequence[tuple[float, str]]
    times: Sequence[tuple[float, str]]
    summary: str


def chart(period: Period, span: Span) -> Chart:
    """Return the drawn chart of a period."""
    steps = period.steps
    width = WIDTH / len(steps)
    top = _round_up(max((s.synced + s.retries + s.failed for s in steps), default=0))
    slowest = max((s.p95 or 0.0 for s in steps), default=0.0)
    longest = next((n for n in ROUND_SECONDS if n >= slowest), slowest)
    return Chart(
        width=_short(width),
        bar=(_short((1 - FILLED) / 2 * width), _short(width * FILLED)),
        steps=[_step(n * width, step, span, top) for n, step in enumerate(steps)],
        lines=[
            *_lines("p95", [s.p95 for s in steps], longest),
            *_lines("p50", [s.p50 for s in steps], longest),
        ],
        scale=[
            *_scale(0.0, UPPER, [formatting.count(n) for n in (top, top // 2, 0)]),
            *_scale(UPPER + GAP, LOWER, [formatting.span(n) for n in (longest, longest / 2, 0)]),
        ],
        times=ticks(steps[0].begins, span),
        summary=f"{period.name.capitalize()}: {_values(period.total)}",
    )


def _step(x: float, step: Step, span: Span, top: int) -> Drawn:
    y, bars = UPPER, []
    for name, count in (("synced", step.synced), ("retry", step.retries), ("failed", step.failed)):
        if count:
            height = max(1.0, count / top * UPPER)
            y -= height
            bars.append(Bar(_short(max(0.0, y)), _short(height), name))
    ends = step.begins + span.length
    query = f"?from={step.begins:{MOMENT}}&to={ends:{MOMENT}}"
    url = addresses.LIST.url() + query
    return Drawn(_short(x), url, _time(step.begins, ends, span), _values(step), bars)


def _time(begins: datetime, ends: datetime, span: Span) -> str:
    if span.length * span.steps > DAY:
        return f"{begins:%a %d %b %H:%M}\N{EN DASH}{ends:%H:%M} UTC"
    return f"{begins:%H:%M}\N{EN DASH}{ends:%H:%M} UTC"


def _values(step: Step) -> str:
    retries = "retry" if step.retries == 1 else "retries"
    parts = [
        f"{formatting.count(step.synced)} synced",
        f"{formatting.count(step.retries)} {retries}",
        f"{formatting.count(step.failed)} failed",
    ]
    if step.p50 is not None and step.p95 is not None:
        parts += [f"p50 {formatting.span(step.p50)}", f"p95 {formatting.span(step.p95)}"]
    return ", ".join(parts)


def _lines(name: str, values: Sequence[float | None], top: float) -> list[tuple[str, str]]:
    """Return two SVG paths: a line through the known values, and dots for lonely ones."""
    width = WIDTH / len(values)
    line, lonely, drawing = [], [], False
    for number, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        y = UPPER + GAP + LOWER * (1 - min(1.0, value / top))
        point = f"{_short((number + 0.5) * width)},{_short(y)}"
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


def _scale(begins: float, height: float, labels: Sequence[str]) -> list[tuple[float, str]]:
    gaps = len(labels) - 1
    return [
        (round(100 * (begins + n * height / gaps) / HEIGHT, 2), label)
        for n, label in enumerate(labels)
    ]


def _round_up(number: int) -> int:
    """Return the next even number to end a scale at: 2, 4, 6, 8, 10, 20, 30, 40, 50, 60, 80."""
    if number <= BASE:
        return max(2, number + number % 2)
    power: int = BASE ** (len(str(number)) - 1)
    return next(n * power for n in ROUND if n * power >= number)


def _short(number: float) -> float:
    return round(number, 1)
