"""How long a wait may take, so that an invocation answers before its timeout.

Lambda ends an execution environment whose function takes too long, with everything that it keeps,
and its client gets an error of AWS's instead of ours. So each wait for a server asks `within`.
Where no invocation has set a limit, such as in a thread in the background, there is none.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

RESERVE_SECONDS = 1.0
"""Seconds that are kept back for the answer. Half a gigabyte of memory buys less than a third of a
processor (AWS Lambda, "Configure Lambda function memory"), and saying goodbye to a broker may take
half a second."""

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


@contextmanager
def ends_with(context: object) -> Iterator[None]:
    """Let the waits of the block end before the time of an invocation does.

    Args:
        context: Lambda's; one that does not tell how much time is left sets no limit.
    """
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    seconds = remaining() / 1000 - RESERVE_SECONDS if remaining else math.inf
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def within(seconds: float) -> float:
    """Return how many seconds a wait may take: as many as given, or those that are left, or 0."""
    return max(0.0, min(seconds, _ends.get() - time.monotonic()))
