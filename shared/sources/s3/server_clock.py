"""The store's clock: a request is signed with a time, which must be right within 15 minutes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

logger = logging.getLogger(__name__)

TOLERATED_SECONDS = 300.0
"""How far a machine's clock may be off before the store's own time is signed with. S3 refuses
(RequestTimeTooSkewed) from 900 on; below 300 an answer may merely have waited on its way."""


class ServerClock:
    """How far this machine's clock is from the store's, by the `Date` of its latest refusal.

    A machine whose clock is wrong copies all the same; it would be refused every object, and pause
    the source for all others.

    Args:
        now: this machine's time, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._ahead = 0.0

    def learn(self, date: str) -> None:
        """Take the `Date` header of a refusal; one that cannot be read tells nothing."""
        try:
            ahead = parsedate_to_datetime(date).timestamp() - self._now()
        except (ValueError, OverflowError):
            return
        if abs(ahead) <= TOLERATED_SECONDS:
            ahead = 0.0
        elif not self._ahead:
            logger.warning(
                "this machine's clock differs from the object store's",
                extra={"seconds": -int(ahead)},
            )
        self._ahead = ahead

    def time(self) -> float | None:
        """Return the store's time in seconds since 1970, None where this machine's will do."""
        return self._now() + self._ahead if self._ahead else None
