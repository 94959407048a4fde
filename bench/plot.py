"""The plot: how far each figure is beyond its target, written as SVG directly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.figure import Figure

WIDTH, LEFT, RIGHT, ROW = 980, 470, 90, 24
LOWEST, HIGHEST = 0.25, 16.0
TICKS = (0.25, 0.5, 1, 2, 4, 8, 16)
TITLE = "Figure to target: 1 is the target, to the right is better"
GOOD, BAD, INK, FAINT = "#2b7a4b", "#b3402a", "#222", "#ccc"


def margin(figure: Figure) -> float | None:
    """Return how many times better than its target a figure is; below one it is worse."""
    if figure.target is None:
        return None
    reached = (figure.ratio or 0.0) if figure.target.ratio else figure.value
    if not reached:
        return 0.0
    return (
        reached / figure.target.limit if figure.target.at_least else figure.target.limit / reached
    )


def svg(figures: Sequence[Figure]) -> str:
    """Draw the figures that have a target, one bar each, on a logarithmic scale."""
    shown = [(figure, m) for figure in figures if (m := margin(figure)) is not None]
    bottom = 50 + ROW * len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 30}">',
        f'<g font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{bottom + 30}" fill="#fff"/>',
        f'<text x="10" y="20" font-size="14">{TITLE}</text>',
    ]
    for tick in TICKS:
        x, color = _x(tick), INK if tick == 1 else FAINT
        parts += [
            f'<line x1="{x}" y1="34" x2="{x}" y2="{bottom}" stroke="{color}"/>',
            f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>',
        ]
    for number, (figure, reached) in enumerate(shown):
        parts += _bar(figure, reached, 40 + ROW * number)
    return "\n".join([*parts, "</g></svg>\n"])


def _bar(figure: Figure, reached: float, y: int) -> list[str]:
    start, end = sorted((_x(1), _x(reached)))
    name = (
        f"{figure.name}, {figure.against}" if figure.target and figure.target.ratio else figure.name
    )
    name = name if len(name) <= 70 else f"{name[:69]}…"  # what fits  # noqa: PLR2004
    width, color = max(end - start, 2), GOOD if figure.met else BAD
    return [
        f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>',
        f'<rect x="{start}" y="{y + 2}" width="{width}" height="{ROW - 8}" fill="{color}"/>',
        f'<text x="{WIDTH - RIGHT + 14}" y="{y + 13}">{reached:.2f}</text>',
    ]


def _x(value: float) -> float:
    place = math.log(min(max(value, LOWEST), HIGHEST) / LOWEST) / math.log(HIGHEST / LOWEST)
    return round(LEFT + place * (WIDTH - LEFT - RIGHT), 1)
