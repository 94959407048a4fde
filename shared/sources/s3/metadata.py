"""What the headers of an S3 server say of an object beside its content: a pure rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shared.domain import Metadata

_KEPT = frozenset({"content-type", "etag"})
_USER = "x-amz-meta-"

_FIXDATE = re.compile(
    r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([1-9][0-9]{3})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
"""The form that servers send (IMF-fixdate: RFC 9110, section 5.6.7)."""

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}


def metadata(headers: Mapping[str, str]) -> Metadata:
    """Return the metadata of an object.

    ======================================  ==================================
    header                                  result
    ======================================  ==================================
    ``last-modified``, a date of RFC 9110   ``modified``, seconds since 1970
    the same, anything else or missing      None
    ``content-type``, ``etag``              ``headers``, as they are
    ``x-amz-meta-…``                        ``headers``, as they are
    any other                               nothing
    ======================================  ==================================

    Args:
        headers: of a response with content, names in lower case.
    """
    kept = {n: v for n, v in headers.items() if n in _KEPT or n.startswith(_USER)}
    return Metadata(_seconds(headers.get("last-modified", "")), kept)


def _seconds(date: str) -> float | None:
    """Return a date in seconds; the usual form is read here, in a quarter of the library's time."""
    match = _FIXDATE.fullmatch(date)
    month = _MONTHS.get(match[2]) if match else None
    try:
        if match and month:
            day, year, hour, minute, second = map(int, match.group(1, 3, 4, 5, 6))
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
