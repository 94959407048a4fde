"""Schedule expressions of EventBridge: `rate(…)`, `cron(…)` and `at(…)`. Pure.

The rules are those of the EventBridge Scheduler user guide, "Schedule types".
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import product
from typing import Self

_UNIT_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
_YEARS = (1970, 2199)
_MONTHS = {
    "JAN": 1,
    "FEB": 2,
    "MAR": 3,
    "APR": 4,
    "MAY": 5,
    "JUN": 6,
    "JUL": 7,
    "AUG": 8,
    "SEP": 9,
    "OCT": 10,
    "NOV": 11,
    "DEC": 12,
}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
"""cron counts the days of a week from Sunday, 1, to Saturday, 7."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A period.

    Attributes:
        seconds: from one run to the next.
    """

    seconds: float


EVERY_MINUTE = Rate(60)
"""The shortest period that EventBridge has."""


@dataclass(frozen=True, slots=True)
class At:
    """One run at one time."""

    moment: datetime

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the time of the run, or None where it is past."""
        return self.moment if self.moment > moment else None


@dataclass(frozen=True, slots=True)
class Cron:
    """Run at certain times of certain days.

    ======================  =========================================
    expression              runs
    ======================  =========================================
    `0 3 * * ? *`           every day at 3:00
    `0/15 8-17 ? * MON *`   every quarter of an hour, Mondays 8 to 18
    `0 12 L * ? *`          at noon of the last day of each month
    `0 12 15W * ? *`        on the working day nearest to the 15th
    `0 12 ? * 6#3 *`        on the third Friday of each month
    `0 12 ? * 6L *`         on the last Friday of each month
    ======================  =========================================

    Attributes:
        minutes: 0 to 59, ascending.
        hours: 0 to 23, ascending.
        days: the field of days of the month, `?` where days of the week count.
        months: 1 to 12, ascending.
        weekdays: the field of days of the week, `?` where days of the month count.
        years: ascending.
        zone: the time zone that all of them are in.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: str
    months: tuple[int, ...]
    weekdays: str
    years: tuple[int, ...]
    zone: tzinfo

    @classmethod
    def parse(cls, text: str, zone: tzinfo) -> Self:
        """Read the six fields.

        Raises:
            ValueError: EventBridge would refuse them.
        """
        fields = text.upper().split()
        if len(fields) != 6:  # noqa: PLR2004 # the fields unpacked below
            raise ValueError("cron needs six fields")
        minutes, hours, days, months, weekdays, years = fields
        if (days == "?") == (weekdays == "?"):
            raise ValueError("cron needs ? as days of the month or as days of the week")
        cron = cls(
            _numbers(minutes, 0, 59),
            _numbers(hours, 0, 23),
            days,
            _numbers(months, 1, 12, _MONTHS),
            weekdays,
            _numbers(years, *_YEARS),
            zone,
        )
        cron.days_in(2000, 1)  # raises where a field of days is invalid
        return cron

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the time of the first run after `moment`, in UTC; None where there is none."""
        today = moment.astimezone(self.zone).date()
        for day in self._dates_from(today):
            for hour, minute in product(self.hours, self.minutes):
                found = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                if found.astimezone(UTC) > moment:
                    return found.astimezone(UTC)
        return None

    def days_in(self, year: int, month: int) -> Collection[int]:
        """Return the days of a month that the expression names.

        Raises:
            ValueError: the field of days is invalid.
        """
        last = calendar.monthrange(year, month)[1]
        if self.weekdays == "?":
            found = {d for part in self.days.split(",") for d in _days(part, year, month)}
        else:
            found = {d for part in self.weekdays.split(",") for d in _weekdays(part, year, month)}
        return found & set(range(1, last + 1))

    def _dates_from(self, today: date) -> Iterator[date]:
        for year, month in product(self.years, self.months):
            if (year, month) >= (today.year, today.month):
                for day in sorted(self.days_in(year, month)):
                    if (found := date(year, month, day)) >= today:
                        yield found


Expression = Rate | At | Cron


def parse(text: str, zone: tzinfo = UTC) -> Expression:
    """Read a schedule expression.

    Args:
        text: as the template has it.
        zone: the time zone of `cron` and `at`.

    Raises:
        ValueError: it is not a schedule expression; the text says what is expected.
    """
    if match := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", text):
        if seconds := int(match[1]) * _UNIT_SECONDS[match[2]]:
            return Rate(seconds)
    elif match := re.fullmatch(r"cron\((.*)\)", text):
        return Cron.parse(match[1], zone)
    elif match := re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", text):
        return At(datetime.fromisoformat(match[1]).replace(tzinfo=zone).astimezone(UTC))
    raise ValueError("expected rate(…), cron(…) or at(…)")


def _numbers(
    text: str, low: int, high: int, names: dict[str, int] | None = None
) -> tuple[int, ...]:
    """Read a field of numbers, such as `1,5-7,10/5`.

    Raises:
        ValueError: it is invalid.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
        if match is None:
            raise ValueError(f"cron cannot have {part}")
        whole, first, last, step = match.groups()
        start = low if whole == "*" else _number(first, names)
        end = _number(last, names) if last else start
        if whole == "*" or (step and not last):
            end = high
        if not low <= start <= end <= high or step == "0":
            raise ValueError(f"cron cannot have {part} among {low} to {high}")
        found.update(range(start, end + 1, int(step or 1)))
    return tuple(sorted(found))


def _number(text: str, names: dict[str, int] | None) -> int:
    if text.isdecimal():
        return int(text)
    if names and text in names:
        return names[text]
    raise ValueError(f"cron cannot have {text}")


def _days(part: str, year: int, month: int) -> tuple[int, ...]:
    """Return the days of a month that one part of the field of days means."""
    last = calendar.monthrange(year, month)[1]
    if part == "L":
        return (last,)
    if part == "LW":
        return (_nearest_working_day(year, month, last),)
    if match := re.fullmatch(r"(\d+)W", part):
        (day,) = _numbers(match[1], 1, 31)
        return (_nearest_working_day(year, month, min(day, last)),)
    return _numbers(part, 1, 31)


def _weekdays(part: str, year: int, month: int) -> list[int]:
    """Return the days of a month that one part of the field of weekdays means."""
    match = re.fullmatch(r"(\w+)(?:L|#([1-5]))", part)
    wanted = _numbers("7" if part == "L" else match[1] if match else part, 1, 7, _WEEKDAYS)
    last = calendar.monthrange(year, month)[1]
    # date.isoweekday() is 1 on Monday and 7 on Sunday.
    days = [d for d in range(1, last + 1) if date(year, month, d).isoweekday() % 7 + 1 in wanted]
    if match is None:
        return days
    number = int(match[2] or 0)
    return days[number - 1 : number] if number else days[-1:]


def _nearest_working_day(year: int, month: int, day: int) -> int:
    """Return the day from Monday to Friday that is nearest to one, in the same month."""
    around = (date(year, month, day) + timedelta(shift) for shift in (0, -1, 1, -2, 2))
    return next(d.day for d in around if d.month == month and d.isoweekday() <= 5)  # noqa: PLR2004
