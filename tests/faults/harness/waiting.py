"""Waiting for a condition, never for luck."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 0.05


class NotInTime(AssertionError):
    """What was waited for did not come."""


def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> float:
    """Returns once a condition holds; gives the seconds that it took.

    Raises:
        NotInTime: it did not hold in time.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise NotInTime(f"waited {seconds:g} s for {what}")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began
