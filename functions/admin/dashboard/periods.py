"""The periods that the dashboard's chart can show. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A period of the chart.

    Attributes:
        name: in the address, and on its button.
        words: in a sentence.
        length: of a step.
        steps: their number.
        tick: from one time along the bottom to the next.
        form: of those times, for `strftime`.
    """

    name: str
    words: str
    length: timedelta
    steps: int
    tick: timedelta
    form: str

    @property
    def unit(self) -> str:
        """The length of a step, in words."""
        minutes = self.length // MINUTE
        if minutes == 1:
            return "minute"
        return f"{minutes} minutes" if self.length < HOUR else f"{self.length // HOUR} hours"


SPANS = (
    Span("1h", "last hour", MINUTE, 60, 10 * MINUTE, "%H:%M"),
    Span("24h", "last 24 hours", 15 * MINUTE, 96, 4 * HOUR, "%H:%M"),
    Span("7d", "last 7 days", 2 * HOUR, 84, DAY, "%a %d"),
)


def chosen(name: str) -> Span:
    """Return the period of a name, the first one if there is none of it."""
    return next((span for span in SPANS if span.name == name), SPANS[0])


def ticks(begins: datetime, span: Span) -> list[tuple[float, str]]:
    """Return the round times within a period: how far along it is each, in percent, and its label.

    Those at the very ends are left out: their labels would be cut off.
    """
    whole = span.length * span.steps
    seconds = span.tick.total_seconds()
    first = -begins.timestamp() % seconds
    found = []
    moment = begins + timedelta(seconds=first)
    while moment < begins + whole:
        percent = 100 * (moment - begins) / whole
        if MARGIN <= percent <= 100 - MARGIN:
            found.append((round(percent, 2), moment.strftime(span.form)))
        moment += span.tick
    return found


MARGIN = 3.0
"""Percent at each end without a label."""
