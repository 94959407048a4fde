"""Rates and latencies over time, from the ledger's counters. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from functions.admin.records import Rate

FIRST_BUCKET_SECONDS = 0.125
"""Bucket n holds what took less than 2^n times this, see latency_bucket in the migrations."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of time.

    Attributes:
        begins: its beginning.
        synced: objects whose files were put in place.
        retried: attempts that are to be repeated, lost ones included.
        failed: objects given up.
        median: seconds from request to file that half of the synced took at most; None when
            none was synced.
        slowest: the same of 95 in 100.
    """

    begins: datetime
    synced: int
    retried: int
    failed: int
    median: float | None
    slowest: float | None


@dataclass(frozen=True, slots=True)
class Period:
    """A time up to now, in steps.

    Attributes:
        name: in words.
        steps: in order; the last one is not over yet.
        length: of a step.
        total: all of it in one.
    """

    name: str
    steps: Sequence[Step]
    length: timedelta
    total: Step

    @property
    def per_second(self) -> float:
        """Objects synced in each second, on average over the whole period."""
        return self.total.synced / (len(self.steps) * self.length.total_seconds())


def begin(now: datetime, length: timedelta, steps: int) -> datetime:
    """Gives when a period of so many steps begins, the current step included."""
    seconds = length.total_seconds()
    current = math.floor(now.timestamp() / seconds) * seconds
    return datetime.fromtimestamp(current, UTC) - (steps - 1) * length


def period(
    name: str, rates: Iterable[Rate], begins: datetime, length: timedelta, steps: int
) -> Period:
    """Arranges counters in steps, empty ones included."""
    by_step: dict[datetime, list[Rate]] = {begins + n * length: [] for n in range(steps)}
    everything = []
    for rate in rates:
        if rate.step in by_step:
            by_step[rate.step].append(rate)
            everything.append(rate)
    found = [_step(start, of_step) for start, of_step in by_step.items()]
    return Period(name, found, length, _step(begins, everything))


def _step(begins: datetime, rates: Iterable[Rate]) -> Step:
    outcomes: Counter[str] = Counter()
    buckets: Counter[int] = Counter()
    for rate in rates:
        outcomes[rate.outcome] += rate.objects
        if rate.outcome == "synced":
            buckets[rate.bucket] += rate.objects
    return Step(
        begins=begins,
        synced=outcomes["synced"],
        retried=outcomes["retry"] + outcomes["lost"],
        failed=outcomes["failed"],
        median=quantile(buckets, 0.5),
        slowest=quantile(buckets, 0.95),
    )


def quantile(buckets: Counter[int], part: float) -> float | None:
    """Estimates the seconds that a part of all took at most, evenly spread within a bucket."""
    rest = part * buckets.total()
    for bucket, number in sorted(buckets.items()):
        if number and rest <= number:
            upper = FIRST_BUCKET_SECONDS * 2.0**bucket
            lower = upper / 2 if bucket else 0.0
            return lower + (upper - lower) * rest / number
        rest -= number
    return None
