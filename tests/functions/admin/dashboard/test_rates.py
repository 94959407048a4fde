from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from functions.admin.dashboard.rates import begin, period, quantile
from functions.admin.records import Rate

MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 23, 10, 30, 42, tzinfo=UTC)


@pytest.mark.parametrize(
    ("buckets", "part", "seconds"),
    [({}, 0.5, None), ({0: 4}, 0.5, 0.0625), ({4: 10}, 0.5, 1.5), ({4: 10}, 1.0, 2.0),
     ({0: 50, 5: 50}, 0.95, 2 + 2 * 45 / 50)],
)  # fmt: skip
def test_a_quantile_lies_within_its_bucket(
    buckets: dict[int, int], part: float, seconds: float | None
) -> None:
    assert quantile(Counter(buckets), part) == pytest.approx(seconds)


def test_a_period_ends_with_the_current_step_and_has_empty_ones() -> None:
    begins = begin(NOW, MINUTE, 60)
    assert begins == datetime(2026, 11, 23, 9, 31, tzinfo=UTC)
    rates = [
        Rate(NOW.replace(second=0), "synced", 4, 30),
        Rate(NOW.replace(second=0), "lost", 4, 2),
        Rate(begins, "failed", 9, 1),
        Rate(begins - MINUTE, "synced", 4, 99),
    ]
    found = period("last hour", rates, begins, MINUTE, 60)
    assert len(found.steps) == 60
    assert (found.steps[-1].synced, found.steps[-1].retries, found.steps[0].failed) == (30, 2, 1)
    assert found.total.synced == 30
    assert found.per_second == pytest.approx(30 / 3600)
    assert found.steps[1].p50 is None
