from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functions.admin.dashboard.plots import HEIGHT, latency_plot, rate_plot
from functions.admin.dashboard.rates import begin, period
from functions.admin.records import Rate

MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 23, 10, 30, 42, tzinfo=UTC)


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


@pytest.mark.parametrize(
    ("retries", "words"), [(0, "0 retries"), (1, "1 retry"), (195, "195 retries")]
)
def test_a_rate_plot_is_summed_up_in_words(retries: int, words: str) -> None:
    begins = begin(NOW, MINUTE, 60)
    rates = [Rate(begins, "retry", 3, retries), Rate(begins, "synced", 3, 1200)]
    summary = rate_plot(period("last hour", rates, begins, MINUTE, 60)).summary
    assert summary == f"1\N{NARROW NO-BREAK SPACE}200 synced, {words}, 0 failed in the last hour"


@pytest.mark.parametrize(
    ("tallest", "top"),
    [(0, "2"), (1, "2"), (3, "4"), (10, "10"), (11, "20"), (61, "80"), (81, "100")],
)
def test_a_scale_ends_at_a_round_number(tallest: int, top: str) -> None:
    begins = begin(NOW, MINUTE, 60)
    drawn = rate_plot(period("last hour", [Rate(begins, "synced", 3, tallest)], begins, MINUTE, 60))
    assert drawn.scale[0][1] == top
