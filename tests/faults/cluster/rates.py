"""When a rate was back: from the moments at which something happened."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

WINDOW_SECONDS = 2.0
STEP_SECONDS = 0.25
ENOUGH = 0.9
HICCUP_SECONDS = 5.0
"""What is shorter is no outage: two cores are shared by three machines and those who load them."""


def back_after(moments: Sequence[float], struck: float, ended: float, normal: float) -> float:
    """Return after how many seconds a rate was back at 90 % for good.

    Args:
        moments: when something happened, in any order.
        struck: when the fault began.
        ended: until when it was measured.
        normal: how often it happens in a second without a fault.

    Returns:
        The end of the last outage, counted from the fault; 0.0 where there was none. An outage is
        a time of 5 s or more in which the last 2 s had less than 90 % of what is normal.
    """
    ordered = sorted(moments)

    def is_low(at: float) -> bool:
        count = bisect_left(ordered, at) - bisect_left(ordered, at - WINDOW_SECONDS)
        return count < ENOUGH * normal * WINDOW_SECONDS

    back, since = 0.0, None
    for step in range(int((ended - struck) / STEP_SECONDS) + 1):
        passed = step * STEP_SECONDS
        if is_low(struck + passed):
            since = passed if since is None else since
            if passed - since >= HICCUP_SECONDS:
                back = passed + STEP_SECONDS
        else:
            since = None
    return back
