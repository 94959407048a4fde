"""What the receiver's answer, or its absence, means: pure policy.

The reasons are what people read, so they hold no URL: that may have a password or a token.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus


class Verdict(enum.Enum):
    """What an attempt showed about its callback, and about the receiver."""

    DELIVERED = "delivered"
    """The receiver has confirmed it."""
    REFUSED = "refused"
    """The receiver works, and does not want this callback."""
    FAULT = "fault"
    """The fault may be this callback's, or concern all."""
    UNREACHABLE = "unreachable"
    """There is no connection, which no callback can be the cause of."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt ended.

    Attributes:
        verdict: what it showed.
        reason: why it was not delivered, None if it was.
        retry_after: seconds that the receiver asks to wait, None if it does not.
        has_status: whether the receiver answered at all.
    """

    verdict: Verdict
    reason: str | None = None
    retry_after: float | None = None
    has_status: bool = False

    @property
    def shows_that_it_works(self) -> bool:
        """Whether only a receiver that works can answer so."""
        return self.verdict in {Verdict.DELIVERED, Verdict.REFUSED}


_FAULTS = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.GONE,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Refusals of whatever is in front of the receiver, or of whoever sends, not of what is sent."""

_WITH_RETRY_AFTER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def of_status(status: int, headers: Mapping[str, str], now: datetime) -> Answer:
    """Return what a final status means.

    ===================================  =============
    status                               verdict
    ===================================  =============
    2xx                                  `DELIVERED`
    401, 403, 404, 407, 408, 410, 429    `FAULT`
    any other 4xx                        `REFUSED`
    any other                            `FAULT`
    ===================================  =============

    Args:
        status: of the response.
        headers: of the response, names in lower case.
        now: the time (aware).
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(Verdict.DELIVERED, has_status=True)
    is_refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    verdict = Verdict.REFUSED if is_refused and status not in _FAULTS else Verdict.FAULT
    wait = headers.get("retry-after") if status in _WITH_RETRY_AFTER else None
    seconds = None if wait is None else retry_after(wait, now)
    return Answer(verdict, f"The receiver answered {_named(status)}", seconds, has_status=True)


def retry_after(text: str, now: datetime) -> float | None:
    """Return the seconds of a header Retry-After (RFC 9110, section 10.2.3); None if it has none.

    Args:
        text: seconds or a date.
        now: the time (aware).
    """
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
