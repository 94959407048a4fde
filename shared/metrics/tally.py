"""Counting in a process what happens there: additions in memory, taken away by an exporter.

As with a logger, there is one tally for each process, which every module may add to. An addition
costs less than a microsecond; prometheus-client's own counters cost four to fourteen when several
processes share them, see docs/decisions/0025-metrics.md. Without an exporter the numbers stay, a
few for each set of labels.
"""

from __future__ import annotations

import os
import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from shared.metrics.catalog import Metric

P = ParamSpec("P")
T = TypeVar("T")
Key = tuple[Metric, tuple[str, ...]]
"""A metric, and the values of its labels."""


@dataclass(slots=True)
class Durations:
    """The observations of a histogram.

    Attributes:
        buckets: how many fell into each bucket, not accumulated; the last has no upper bound.
        total: the sum of all, in seconds.
    """

    buckets: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Counted:
    """What was counted since it was last taken.

    Attributes:
        counts: of counters.
        durations: of histograms.
    """

    counts: dict[Key, float] = field(default_factory=dict)
    durations: dict[Key, Durations] = field(default_factory=dict)


class Tally:
    """Adds up counters and histograms; safe for several threads.

    Attributes:
        on_addition: called after each addition, for an exporter that starts with the first.
        on_invocation_end: called when a function has answered, for an exporter that must not wait:
            an execution environment is frozen then.
    """

    def __init__(self) -> None:
        self.on_addition: Callable[[], None] | None = None
        self.on_invocation_end: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._counted = Counted()

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter.

        Args:
            metric: the counter.
            labels: the values of its labels, in their order.
            by: how much.
        """
        key = (metric, labels)
        with self._lock:
            counts = self._counted.counts
            counts[key] = counts.get(key, 0) + by
        if self.on_addition:
            self.on_addition()

    def observe(self, metric: Metric, values: Iterable[float], *labels: str) -> None:
        """Add observations to a histogram.

        Args:
            metric: the histogram.
            values: seconds; below 0, as after a step of a clock, counts as 0.
            labels: as with `count`.
        """
        key, bounds = (metric, labels), metric.buckets
        with self._lock:
            found = self._counted.durations.get(key)
            if found is None:
                found = Durations([0] * (len(bounds) + 1))
                self._counted.durations[key] = found
            for value in values:
                found.buckets[bisect_left(bounds, value)] += 1
                found.total += max(0.0, value)
        if self.on_addition:
            self.on_addition()

    def take(self) -> Counted:
        """Return what was counted since the last call, and begin anew."""
        with self._lock:
            taken, self._counted = self._counted, Counted()
        return taken

    def put_back(self, counted: Counted) -> None:
        """Add what was taken and could not be exported."""
        with self._lock:
            for key, number in counted.counts.items():
                self._counted.counts[key] = self._counted.counts.get(key, 0) + number
            for key, durations in counted.durations.items():
                mine = self._counted.durations.setdefault(
                    key, Durations([0] * len(durations.buckets))
                )
                mine.buckets = [a + b for a, b in zip(mine.buckets, durations.buckets, strict=True)]
                mine.total += durations.total

    def forget(self) -> None:
        """Begin anew with a new lock: after a fork, what was counted is the parent's to export."""
        self._lock = threading.Lock()
        self._counted = Counted()


process = Tally()
"""This process's."""

count = process.count
observe = process.observe

os.register_at_fork(after_in_child=process.forget)


def exported(handler: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function's handler: what it has counted is exported before it answers."""

    @wraps(handler)
    def invoke(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return handler(*args, **kwargs)
        finally:
            if process.on_invocation_end:
                process.on_invocation_end()

    return invoke


def reason_class(error: type[BaseException]) -> str:
    """Return the bounded value of a label `reason`: the name of the error's class in snake case."""
    return _snake(error.__name__)


@lru_cache
def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
