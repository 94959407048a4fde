"""Counters in this process's own memory, if no memcached is set up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from shared.cache.interface import Counter

SWEEP_AT = 10_000
"""Counters at which expired ones are removed, so that memory stays bounded."""


class MemoryCache:
    """A `Cache` for one process.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._sweep_at = SWEEP_AT

    def count(self, counters: Sequence[Counter]) -> list[tuple[int, int]]:
        """See `Cache.count`."""
        now = self._clock()
        with self._lock:
            if len(self._counts) >= self._sweep_at:
                self._sweep(now)
            answer = []
            for counter in counters:
                number = self._alive(counter.key, now) + 1
                ends = self._counts.get(counter.key, (0, now + counter.lifetime))[1]
                self._counts[counter.key] = (number, ends)
                answer.append((number, self._alive(counter.previous_key, now)))
            return answer

    def take_back(self, counters: Sequence[Counter]) -> None:
        """See `Cache.take_back`."""
        with self._lock:
            for counter in counters:
                number, ends = self._counts.get(counter.key, (0, 0.0))
                if number:
                    self._counts[counter.key] = (number - 1, ends)

    def __len__(self) -> int:
        """Return the number of counters in memory."""
        return len(self._counts)

    def ping(self) -> None:
        """Do nothing: memory always answers."""

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def _alive(self, key: str, now: float) -> int:
        number, ends = self._counts.get(key, (0, 0.0))
        if ends <= now:
            self._counts.pop(key, None)
            return 0
        return number

    def _sweep(self, now: float) -> None:
        self._counts = {k: v for k, v in self._counts.items() if v[1] > now}
        self._sweep_at = max(SWEEP_AT, 2 * len(self._counts))
