"""When a callback that the receiver did not take is attempted again: pure policy."""

from __future__ import annotations

MINUTE, HOUR = 60.0, 3_600.0

DELAYS = (5.0, 30.0, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR)
"""Seconds after the first attempt, the second and so on; the last one again after any later."""

JITTER = 0.2
"""Share by which a delay is longer at most, so that what failed together does not come together."""

LONGEST_RETRY_AFTER = HOUR
"""The receiver may ask for a longer wait than ours, but not for one that it cannot mean."""


def delay(attempts: int, jitter: float, retry_after: float | None = None) -> float:
    """Return the seconds until the next attempt.

    ========  ===========  ===================
    attempts  retry after  seconds
    ========  ===========  ===================
    1         None         5 to 6
    2         None         30 to 36
    3         None         120 to 144
    9         None         28,800 to 34,560
    20        None         28,800 to 34,560
    1         60           60
    1         86,400       3,600
    9         60           28,800 to 34,560
    ========  ===========  ===================

    A callback is given up a day after it was recorded, whatever this returns.

    Args:
        attempts: counted attempts so far, the failed one included, at least 1.
        jitter: a random number from 0 to 1.
        retry_after: seconds that the receiver asked for.
    """
    own = DELAYS[min(attempts, len(DELAYS)) - 1] * (1 + JITTER * jitter)
    return max(own, min(retry_after or 0.0, LONGEST_RETRY_AFTER))
