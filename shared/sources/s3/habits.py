"""What has been learned of the endpoint since the process began."""

from __future__ import annotations

import time
from collections.abc import Callable

FORGET_SECONDS = 600.0
"""A server may be replaced, or one of several behind a name may have been the odd one."""


class Habits:
    """Habits of one endpoint; on the transport's thread alone.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._no_ranges_until = -1.0

    @property
    def ranges(self) -> bool:
        """Whether pinned ranges are worth a request."""
        return self._clock() >= self._no_ranges_until

    def ranges_failed(self) -> None:
        """Note that a range, or what pinned it, was not honored."""
        self._no_ranges_until = self._clock() + FORGET_SECONDS
