from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from local.schedule_expressions import At, Cron, Rate, parse


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(1 hour)", 3_600),
        ("rate(12 hours)", 43_200),
        ("rate(7 days)", 604_800),
    ],
)
def test_a_rate_is_a_period(text: str, seconds: float) -> None:
    assert parse(text) == Rate(seconds)


def after(text: str, moment: str, zone: str = "UTC") -> str | None:
    expression = parse(text, ZoneInfo(zone))
    assert isinstance(expression, Cron | At)
    found = expression.next_after(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    return found.strftime("%Y-%m-%dT%H:%M") if found else None


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        # 2026-11-28 is a Saturday.
        ("* * * * ? *", "2026-11-28T10:00:30", "2026-11-28T10:01"),
        ("0 3 * * ? *", "2026-11-28T02:59:59", "2026-11-28T03:00"),
        ("0 3 * * ? *", "2026-11-28T03:00:00", "2026-11-29T03:00"),
        ("0/15 * * * ? *", "2026-11-28T10:16:00", "2026-11-28T10:30"),
        ("5/25 * * * ? *", "2026-11-28T10:31:00", "2026-11-28T10:55"),
        ("*/20 8-17/3 * * ? *", "2026-11-28T11:45:00", "2026-11-28T14:00"),
        ("30 9,18 ? * MON-FRI *", "2026-11-27T18:30:00", "2026-11-30T09:30"),
        ("0 10 ? * 7 *", "2026-11-28T11:00:00", "2026-12-05T10:00"),
        ("0 0 ? * L *", "2026-11-28T00:00:00", "2026-12-05T00:00"),
        ("0 0 ? * 6L *", "2026-11-28T00:00:00", "2026-12-25T00:00"),
        ("0 0 ? * FRI#3 *", "2026-11-28T00:00:00", "2026-12-18T00:00"),
        ("0 0 ? * 1#5 *", "2026-11-28T00:00:00", "2026-11-29T00:00"),
        ("0 0 1,15 * ? *", "2026-11-28T00:00:00", "2026-12-01T00:00"),
        ("0 0 L * ? *", "2026-11-30T00:00:00", "2026-12-31T00:00"),
        ("0 0 LW * ? *", "2027-01-01T00:00:00", "2027-01-29T00:00"),
        ("0 0 1W * ? *", "2026-07-15T00:00:00", "2026-08-03T00:00"),
        ("0 0 15W * ? *", "2026-11-01T00:00:00", "2026-11-16T00:00"),
        ("0 0 29 FEB ? *", "2026-11-28T00:00:00", "2028-02-29T00:00"),
        ("0 0 1 jan,jul ? 2027-2028", "2027-07-01T00:00:00", "2028-01-01T00:00"),
    ],
)
def test_cron_names_its_next_time(text: str, moment: str, expected: str) -> None:
    assert after(f"cron({text})", moment) == expected


@pytest.mark.parametrize("text", ["0 0 31 FEB ? *", "0 0 1 1 ? 2026"])
def test_cron_may_have_no_next_time(text: str) -> None:
    assert after(f"cron({text})", "2026-11-28T00:00:00") is None


def test_cron_and_at_have_a_time_zone() -> None:
    assert after("cron(0 3 * * ? *)", "2026-11-28T12:00", "Europe/Berlin") == "2026-11-29T02:00"
    assert after("cron(0 3 * * ? *)", "2026-06-28T12:00", "Europe/Berlin") == "2026-06-29T01:00"
    assert after("at(2026-12-01T03:00:00)", "2026-11-28T12:00", "Asia/Tokyo") == "2026-11-30T18:00"


def test_at_runs_once() -> None:
    assert after("at(2026-11-28T03:00:00)", "2026-11-28T02:59:59") == "2026-11-28T03:00"
    assert after("at(2026-11-28T03:00:00)", "2026-11-28T03:00:00") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "often",
        "rate(0 minutes)",
        "rate(1 week)",
        "rate(1.5 hours)",
        "rate(1 minute) ",
        "at(2026-11-28)",
        "at(2026-13-28T00:00:00)",
        "cron()",
        "cron(0 3 * * ?)",
        "cron(0 3 * * * *)",
        "cron(0 3 ? * ? *)",
        "cron(60 3 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 0 * ? *)",
        "cron(0 0 32W * ? *)",
        "cron(0 0 ? * 8 *)",
        "cron(0 0 ? * 2#6 *)",
        "cron(0 0 ? * MON-L *)",
        "cron(0 0 * 13 ? *)",
        "cron(0 0 * FOO ? *)",
        "cron(0 0 * * ? 1969)",
        "cron(5-1 * * * ? *)",
        "cron(0/0 * * * ? *)",
        "cron(1,, * * * ? *)",
        "cron(L * * * ? *)",
    ],
)
def test_what_event_bridge_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)
