"""Failed objects put back in the queue by a person: `./sync retry`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from shared.errors import ServiceError
from shared.ledger.ledger import Ledger

BATCH_ROWS = 1_000
"""Rows changed in one transaction, so that locks are short however many rows there are."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class InvalidTime(ServiceError):
    """Not a time."""


def moment(text: str, now: datetime) -> datetime:
    """Return a time that is given as such, or as how long ago it was.

    Args:
        text: ISO 8601, in UTC unless it names a zone, or a number of s, m, h or d, such as 90m.
        now: the current time, with its zone.

    Raises:
        InvalidTime: the text is neither.
    """
    try:
        if text[:-1].isdecimal() and text[-1] in _UNITS:
            return now - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        given = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise InvalidTime(f"{text!r}: expected 2026-01-31T12:00 or 90m, 36h, 7d") from error
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def all_failed(ledger: Ledger, since: datetime | None) -> Iterator[Sequence[int]]:
    """Yield the ids of failed rows in batches.

    Args:
        ledger: the ledger.
        since: only rows whose last attempt ended then or later; None for all.
    """
    after = 0
    while ids := ledger.failed_ids(since, after, BATCH_ROWS):
        yield ids
        after = ids[-1]


def failed_of(ledger: Ledger, row_ids: Iterable[int]) -> Iterator[Sequence[int]]:
    """Yield those of the ids whose rows have failed, as one batch; nothing where there are none."""
    failed = [row_id for row_id in row_ids if ledger.failed_ids(None, row_id - 1, 1) == [row_id]]
    if failed:
        yield failed


def retry(ledger: Ledger, batches: Iterable[Sequence[int]], *, dry_run: bool) -> Iterator[str]:
    """Put rows back in the queue; the scheduler publishes their messages.

    Args:
        ledger: the ledger.
        batches: ids; rows that have not failed are skipped.
        dry_run: change nothing.

    Yields:
        A line for each batch, then a sum.
    """
    done = 0
    for ids in batches:
        changed = len(ids) if dry_run else len(ledger.retry(ids))
        done += changed
        yield f"{'would queue' if dry_run else 'queued'} {changed}: {_shown(ids)}"
    yield f"{done} failed objects {'would be' if dry_run else 'are'} queued again"


def _shown(ids: Sequence[int]) -> str:
    few = 10
    return ", ".join(map(str, ids[:few])) + (" …" if len(ids) > few else "")
