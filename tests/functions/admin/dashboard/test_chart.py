from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from functions.admin.dashboard.chart import GAP, HEIGHT, LOWER, UPPER, Chart, chart
from functions.admin.dashboard.periods import SPANS, Span, chosen, ticks
from functions.admin.dashboard.rates import begin, period
from functions.admin.objects.listing import Listing
from functions.admin.records import Rate

HOUR, DAY, WEEK = SPANS
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 23, 10, 30, 42, tzinfo=UTC)
BEGINS = begin(NOW, MINUTE, 60)


def drawn(rates: list[Rate], span: Span = HOUR) -> Chart:
    begins = begin(NOW, span.length, span.steps)
    return chart(period(span.words, rates, begins, span.length, span.steps), span)


def test_bars_and_lines_stay_within_their_plots() -> None:
    rates = [Rate(BEGINS + n * MINUTE, "synced", n % 21, 7 * n) for n in range(0, 60, 2)]
    rates += [Rate(BEGINS + n * MINUTE, "failed", 3, 1) for n in range(60)]
    found = drawn(rates)
    bars = [bar for step in found.steps for bar in step.bars]
    assert len(bars) == 29 + 60
    assert all(bar.y >= 0 and bar.y + bar.height <= UPPER + 1.1 for bar in bars)
    points = [p for _, path in found.lines for p in path.replace("M", "L").split("L") if p]
    assert points
    assert all(UPPER + GAP <= float(p.split(",")[1]) <= HEIGHT for p in points)
    assert HEIGHT == UPPER + GAP + LOWER


def test_each_step_leads_to_the_files_of_its_time() -> None:
    for span in SPANS:
        steps = drawn([], span).steps
        assert len(steps) == span.steps
        listings = [Listing.from_query(dict(parse_qsl(urlsplit(s.url).query))) for s in steps]
        assert all(
            listing.begins and listing.ends and listing.ends - listing.begins == span.length
            for listing in listings
        )
        last = listings[-1]
        assert str(last.begins) <= str(NOW) < str(last.ends)


def test_a_step_has_its_values_in_words() -> None:
    rates = [
        Rate(BEGINS, "synced", 4, 1200),
        Rate(BEGINS, "retry", 4, 1),
        Rate(BEGINS, "failed", 9, 2),
    ]
    step = drawn(rates).steps[0]
    assert step.time == "09:31–10:32 UTC".replace("10:32", "09:32")  # noqa: RUF001 - an en dash
    thin = "\N{NARROW NO-BREAK SPACE}"
    assert step.values == f"1{thin}200 synced, 1 retry, 2 failed, p50 1.5 s, p95 1.95 s"
    assert [bar.name for bar in step.bars] == ["synced", "retry", "failed"]
    assert drawn([]).summary == "Last hour: 0 synced, 0 retries, 0 failed"


@pytest.mark.parametrize(
    ("tallest", "labels"),
    [
        (0, ["2", "1", "0"]),
        (3, ["4", "2", "0"]),
        (11, ["20", "10", "0"]),
        (61, ["80", "40", "0"]),
        (81, ["100", "50", "0"]),
    ],
)
def test_counts_end_at_a_round_number(tallest: int, labels: list[str]) -> None:
    scale = drawn([Rate(BEGINS, "synced", 3, tallest)]).scale
    assert [word for _, word in scale][:3] == labels
    assert [percent for percent, _ in scale] == sorted(percent for percent, _ in scale)
    assert (scale[0][0], scale[-1][0]) == (0, 100)


@pytest.mark.parametrize(
    ("bucket", "labels"),
    [
        (0, ["0.2 s", "0.1 s", "0 s"]),
        (4, ["2 s", "1 s", "0 s"]),
        (8, ["1 min", "30 s", "0 s"]),
        (20, ["2 d", "1 d", "0 s"]),
    ],
)
def test_times_end_at_a_round_number(bucket: int, labels: list[str]) -> None:
    words = [word for _, word in drawn([Rate(BEGINS, "synced", bucket, 5)]).scale][3:]
    assert words == labels


def test_a_lonely_value_is_a_dot_and_neighbors_are_a_line() -> None:
    lines = dict(drawn([Rate(BEGINS + n * MINUTE, "synced", 3, 1) for n in (4, 5, 9)]).lines)
    assert [name for name, path in lines.items() if path] == ["p95", "p95 dot", "p50", "p50 dot"]
    assert (lines["p50"].count("M"), lines["p50"].count("L")) == (1, 1)


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (HOUR, ["09:40", "09:50", "10:00", "10:10", "10:20"]),
        (DAY, ["12:00", "16:00", "20:00", "00:00", "04:00", "08:00"]),
        (WEEK, ["Tue 17", "Wed 18", "Thu 19", "Fri 20", "Sat 21", "Sun 22", "Mon 23"]),
    ],
    ids=["1h", "24h", "7d"],
)
def test_the_times_along_the_bottom_are_round(span: Span, labels: list[str]) -> None:
    found = ticks(begin(NOW, span.length, span.steps), span)
    assert [word for _, word in found] == labels
    assert all(0 < percent < 100 for percent, _ in found)


def test_an_unknown_period_is_the_first_one() -> None:
    assert chosen("7d") is WEEK
    assert chosen("x") is chosen("") is HOUR
