"""Putting failed objects back in the queue by hand: `python -m local retry`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from shared.errors import ServiceError
from shared.ledger.ledger import Ledger

PORTION = 1_000
"""Rows changed in one transaction: short locks, however many there are."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class WrongTime(ServiceError):
    """Not a time."""


def moment(text: str, now: datetime) -> datetime:
    """Reads a time, or how long ago it was.

    Args:
        text: ISO 8601, taken as UTC where it names no zone, or a number of s, m, h or d, such
            as 90m.
        now: the present, aware.

    Raises:
        WrongTime: it is neither.
    """
    try:
        if text[:-1].isdecimal() and text[-1] in _UNITS:
            return now - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        given = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise WrongTime(f"{text!r}: expected 2026-01-31T12:00 or 90m, 36h, 7d") from error
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def all_failed(ledger: Ledger, since: datetime | None) -> Iterator[Sequence[int]]:
    """Yields the ids of failed rows in portions.

    Args:
        ledger: where they are.
        since: only those whose last attempt ended then or later.
    """
    after = 0
    while ids := ledger.failed_ids(since, after, PORTION):
        yield ids
        after = ids[-1]


def failed_of(ledger: Ledger, row_ids: Iterable[int]) -> Iterator[Sequence[int]]:
    """Yields those of the ids, if any, whose rows have failed."""
    failed = [row_id for row_id in row_ids if ledger.failed_ids(None, row_id - 1, 1) == [row_id]]
    if failed:
        yield failed


def retry(ledger: Ledger, portions: Iterable[Sequence[int]], *, dry_run: bool) -> Iterator[str]:
    """Puts rows back in the queue, and says so; the scheduler publishes them.

    Args:
        ledger: where they are.
        portions: ids; those of rows that have not failed are left alone.
        dry_run: change nothing.

    Yields:
        A line for each portion, then a sum.
    """
    done = 0
    for ids in portions:
        changed = len(ids) if dry_run else len(ledger.retry(ids))
        done += changed
        yield f"{'would queue' if dry_run else 'queued'} {changed}: {_shown(ids)}"
    yield f"{done} failed objects {'would be' if dry_run else 'are'} queued again"


def _shown(ids: Sequence[int]) -> str:
    few = 10
    return ", ".join(map(str, ids[:few])) + (" …" if len(ids) > few else "")
