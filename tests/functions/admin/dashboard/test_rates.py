from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from functions.admin.dashboard.plots import HEIGHT, latency_plot, rate_plot
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


def test_plots_stay_within_their_frame() -> None:
    begins = begin(NOW, MINUTE, 60)
    rates = [Rate(begins + n * MINUTE, "synced", n % 20, 7 * n) for n in range(0, 60, 2)]
    found = period("last hour", rates, begins, MINUTE, 60)
    drawn = rate_plot(found)
    assert len(drawn.bars) == 29
    assert all(bar.y >= 0 and bar.y + bar.height <= HEIGHT + 0.1 for bar in drawn.bars)
    assert drawn.scale[0][1] == "500"
    for drawn in (latency_plot(found), latency_plot(period("", rates[:9:8], begins, MINUTE, 60))):
        points = [p for _, path in drawn.lines for p in path.replace("M", "L").split("L") if p]
        assert points
        assert all(0 <= float(p.split(",")[1]) <= HEIGHT for p in points)


def test_a_lonely_value_is_a_dot_and_neighbors_are_a_line() -> None:
    begins = begin(NOW, MINUTE, 60)
    rates = [Rate(begins + n * MINUTE, "synced", 3, 1) for n in (4, 5, 9)]
    lines = dict(latency_plot(period("last hour", rates, begins, MINUTE, 60)).lines)
    assert [name for name, path in lines.items() if path] == ["p95", "p95 dot", "p50", "p50 dot"]
    assert (lines["p50"].count("M"), lines["p50"].count("L")) == (1, 1)
    assert (lines["p50 dot"].count("M"), lines["p50 dot"].count("L")) == (1, 1)


def test_nothing_at_all_can_be_drawn() -> None:
    found = period("last hour", [], begin(NOW, MINUTE, 60), MINUTE, 60)
    assert rate_plot(found).bars == []
    assert "nothing synced" in latency_plot(found).summary
