"""A cache in memory that a test can cut off; it passes the contract of every `Cache`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from shared.cache.interface import Counter
from shared.cache.memory import MemoryCache
from shared.errors import CacheUnavailable


class FakeCache:
    """A `Cache` that answers a number of calls and is unreachable from then on.

    Args:
        clock: seconds.
        answers: how many calls it answers; a test may change it.
    """

    def __init__(self, clock: Callable[[], float], answers: float = math.inf) -> None:
        self._cache = MemoryCache(clock)
        self.answers = answers

    def count(self, counters: Sequence[Counter]) -> list[tuple[int, int]]:
        """See `Cache.count`."""
        self._ask()
        return self._cache.count(counters)

    def take_back(self, counters: Sequence[Counter]) -> None:
        """See `Cache.take_back`."""
        self._ask()
        self._cache.take_back(counters)

    def ping(self) -> None:
        """See `Cache.ping`."""
        self._ask()

    def close(self) -> None:
        """See `Cache.close`."""

    def _ask(self) -> None:
        if self.answers < 1:
            raise CacheUnavailable
        self.answers -= 1
