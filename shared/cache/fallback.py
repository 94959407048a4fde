"""Counters that are kept wherever they can be, for limits that must never be off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from shared.cache.interface import Cache, Counter
from shared.errors import CacheUnavailable

T = TypeVar("T")


class FallbackCache:
    """A `Cache` that asks the first of several that answers.

    While one is unreachable the next one counts from zero, so that a limit may be reached once
    more after each change: it grows by the number of caches at most, and is never off.

    Args:
        caches: in order of preference; the last should be this process's memory.
    """

    def __init__(self, caches: Sequence[Cache]) -> None:
        self._caches = tuple(caches)

    def count(self, counters: Sequence[Counter]) -> list[tuple[int, int]]:
        """See `Cache.count`."""
        return self._first(lambda cache: cache.count(counters))

    def take_back(self, counters: Sequence[Counter]) -> None:
        """See `Cache.take_back`."""
        self._first(lambda cache: cache.take_back(counters))

    def ping(self) -> None:
        """See `Cache.ping`."""
        self._first(lambda cache: cache.ping())

    def close(self) -> None:
        """See `Cache.close`."""
        for cache in self._caches:
            cache.close()

    def _first(self, ask: Callable[[Cache], T]) -> T:
        unavailable: CacheUnavailable | None = None
        for cache in self._caches:
            try:
                return ask(cache)
            except CacheUnavailable as error:
                unavailable = error
        raise unavailable or CacheUnavailable("none is set up")
