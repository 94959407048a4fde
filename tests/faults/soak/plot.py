"""The curves as SVG, written directly: memory, file descriptors, objects, queue over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tests.faults.soak.samples import Sample, of_role

WIDTH, LEFT, RIGHT = 980, 60, 230
TOP, HEIGHT, GAP = 40, 190, 60
TICKS = 4
INK, FAINT = "#222", "#ddd"
COLORS = (
    "#1f77b4", "#2b7a4b", "#b3402a", "#8ab6d6", "#93c9a8", "#dba294", "#7b5ea7", "#d18f1f", "#888",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a panel.

    Attributes:
        name: as the legend has it.
        points: time in seconds, and value.
    """

    name: str
    points: Sequence[tuple[float, float]]


def svg(samples: Sequence[Sample], title: str) -> str:
    """Draw the samples of all roles."""
    roles = list(dict.fromkeys(sample.role for sample in samples))
    first = of_role(samples, roles[0])
    panels = [
        (
            "Memory (PSS) in MiB",
            [Curve(r, [(s.seconds, s.pss) for s in of_role(samples, r)]) for r in roles],
        ),
        (
            "File descriptors",
            [Curve(r, [(s.seconds, s.fds) for s in of_role(samples, r)]) for r in roles],
        ),
        (
            "Objects, thousands",
            [
                Curve("recorded", [(s.seconds, s.recorded / 1_000) for s in first]),
                Curve("compared and right", [(s.seconds, s.verified / 1_000) for s in first]),
            ],
        ),
        (
            "Messages that wait",
            [Curve("queue", [(s.seconds, s.queue) for s in first if s.queue >= 0])],
        ),
    ]
    height = TOP + len(panels) * (HEIGHT + GAP)
    end = max(sample.seconds for sample in samples) or 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">',
        f'<g font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="10" y="20" font-size="14">{escape(title)}</text>',
    ]
    for number, (name, curves) in enumerate(panels):
        parts += _panel(name, curves, end, TOP + number * (HEIGHT + GAP))
    return "\n".join([*parts, "</g></svg>\n"])


def _panel(name: str, curves: Sequence[Curve], end: float, top: int) -> list[str]:
    highest = max((value for curve in curves for _, value in curve.points), default=0.0) or 1.0
    right, bottom = WIDTH - RIGHT, top + 16 + HEIGHT
    parts = [f'<text x="10" y="{top + 8}">{escape(name)}</text>']
    for tick in range(TICKS + 1):
        y = bottom - HEIGHT * tick / TICKS
        x = LEFT + (right - LEFT) * tick / TICKS
        value, minutes = highest * tick / TICKS, end * tick / TICKS / 60
        parts += [
            f'<line x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}" stroke="{FAINT}"/>',
            f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:,.0f}</text>',
            f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{minutes:.0f} min</text>',
        ]
    for number, curve in enumerate(curves):
        color = COLORS[number % len(COLORS)]
        points = " ".join(
            f"{LEFT + (right - LEFT) * seconds / end:.1f},{bottom - HEIGHT * value / highest:.1f}"
            for seconds, value in curve.points
        )
        y = top + 26 + 18 * number
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>',
            f'<rect x="{right + 14}" y="{y - 9}" width="10" height="10" fill="{color}"/>',
            f'<text x="{right + 30}" y="{y}">{escape(curve.name)}</text>',
        ]
    return parts
