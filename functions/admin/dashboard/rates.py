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

MEDIAN, P95 = 0.5, 0.95
"""The parts of all objects that the latencies p50 and p95 are about."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of time.

    Attributes:
        begins: its beginning.
        synced: objects whose files were put in place.
        retries: attempts that are followed by a retry, those of dead workers included.
        failed: objects given up.
        p50: seconds from request to file, the median of the synced; None if there are none.
        p95: the 95th percentile likewise.
    """

    begins: datetime
    synced: int
    retries: int
    failed: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Period:
    """A time up to now, in steps.

    Attributes:
        name: in words.
        steps: in order; the last one is not over yet.
        length: of a step.
        total: the whole period as one step.
    """

    name: str
    steps: Sequence[Step]
    length: timedelta
    total: Step

    @property
    def per_second(self) -> float:
        """Objects synced per second, on average over the whole period."""
        return self.total.synced / (len(self.steps) * self.length.total_seconds())


def begin(now: datetime, length: timedelta, steps: int) -> datetime:
    """Return when a period of so many steps begins, the current step included."""
    seconds = length.total_seconds()
    current = math.floor(now.timestamp() / seconds) * seconds
    return datetime.fromtimestamp(current, UTC) - (steps - 1) * length


def period(
    name: str, rates: Iterable[Rate], begins: datetime, length: timedelta, steps: int
) -> Period:
    """Return counters arranged in steps, empty ones included."""
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
        retries=outcomes["retry"] + outcomes["lost"],
        failed=outcomes["failed"],
        p50=quantile(buckets, MEDIAN),
        p95=quantile(buckets, P95),
    )


def quantile(buckets: Counter[int], part: float) -> float | None:
    """Return the seconds that a part of all took at most, None if there are none.

    An estimate: what a bucket holds is taken as evenly spread.
    """
    rest = part * buckets.total()
    for bucket, number in sorted(buckets.items()):
        if number and rest <= number:
            upper = FIRST_BUCKET_SECONDS * 2.0**bucket
            lower = upper / 2 if bucket else 0.0
            return lower + (upper - lower) * rest / number
        rest -= number
    return None
