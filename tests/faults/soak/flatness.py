"""Whether a curve is flat: the slope of a straight line through it, once everything is warm."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.soak.samples import Sample

HOUR_SECONDS = 3_600
WARM_SHARE = 0.2
"""The first part of a run, in which caches and pools fill."""

SHORTEST_SECONDS = 1_200
"""What is left must last so long: a slope over less is chance."""

MOST_MEBIBYTES = 10.0
"""Slope of a flat curve, in an hour."""

MOST_DESCRIPTORS = 10
"""By so many the fewest of the last third may exceed the fewest of the first. How many there are
follows the connections of the moment; a leak raises the fewest."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one role went.

    Attributes:
        role: its name.
        first: median RSS in MiB of the first third of the warm part.
        last: of the last third.
        slope: of RSS, in MiB an hour; None where the run was too short.
        fds_first: fewest file descriptors in the first third of the warm part.
        fds_last: in the last third.
        fds_most: most of all.
    """

    role: str
    first: float
    last: float
    slope: float | None
    fds_first: int
    fds_last: int
    fds_most: int

    @property
    def is_flat(self) -> bool:
        """Whether neither memory nor file descriptors rise; a short run cannot tell."""
        if self.slope is None:
            return True
        return self.slope < MOST_MEBIBYTES and self.fds_last - self.fds_first < MOST_DESCRIPTORS


def course(role: str, samples: Sequence[Sample]) -> Course:
    """Judge the samples of one role, in order of time."""
    end = samples[-1].seconds
    warm = [s for s in samples if s.seconds >= WARM_SHARE * end]
    third = max(1, len(warm) // 3)
    long_enough = warm[-1].seconds - warm[0].seconds >= SHORTEST_SECONDS
    return Course(
        role,
        statistics.median(s.rss for s in warm[:third]),
        statistics.median(s.rss for s in warm[-third:]),
        _slope(warm) if long_enough else None,
        min(s.fds for s in warm[:third]),
        min(s.fds for s in warm[-third:]),
        max(s.fds for s in samples),
    )


def _slope(samples: Sequence[Sample]) -> float:
    """Return the slope of RSS in MiB an hour."""
    times, sizes = [s.seconds for s in samples], [s.rss for s in samples]
    return statistics.linear_regression(times, sizes).slope * HOUR_SECONDS
