"""Rate limits over a sliding window.

The window slides by weighting: the count of the fixed window before is weighted by the part of it
that the sliding window still covers. This takes two counters per limit and no list of times, and is
wrong by a few percent at most if requests come unevenly.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.cache.interface import Cache, Counter
from shared.config.parsers import RateLimit
from shared.errors import CacheUnavailable, LedgerUnavailable, TooManyRequests
from shared.metrics import tally
from shared.metrics.catalog import RATE_LIMITED


@dataclass(frozen=True, slots=True)
class Limited:
    """What a limit counts.

    Attributes:
        name: of the limit and of the client, ASCII without spaces, such as `get:203.0.113.7`.
        limit: how many requests are allowed.
    """

    name: str
    limit: RateLimit


def retry_after(limit: RateLimit, current: int, previous: int, elapsed: float) -> int:
    """Return for how long a request is over the limit.

    With 50 per minute:

    =======  ========  =======  ================================================
    current  previous  elapsed  seconds
    =======  ========  =======  ================================================
    50       0         10       0, the fiftieth is within the limit
    51       0         10       52, when one of this window's 50 has slid out
    1        50        0        2, the window before still counts in full
    1        50        6        0, a tenth of it has slid out
    26       50        30       2, 26 and half of 50
    =======  ========  =======  ================================================

    Args:
        limit: the limit.
        current: requests in this fixed window, this one included.
        previous: requests in the fixed window before.
        elapsed: seconds since this fixed window began.

    Returns:
        0 if the request is allowed, otherwise the whole seconds until one is.
    """
    window = limit.seconds
    if current + previous * (1 - elapsed / window) <= limit.count:
        return 0
    if current <= limit.count:
        free_at = window * (1 - (limit.count - current) / previous)
        return max(1, math.ceil(free_at - elapsed))
    # In the next window the requests of this one, without the refused one, slide out in turn.
    free_at = window * (1 - (limit.count - 1) / (current - 1))
    return max(1, math.ceil(window - elapsed + free_at))


class RateLimiter:
    """Counts requests and refuses those over a limit; refused ones do not count.

    Args:
        cache: where the counters are kept. While it is unreachable, nothing is refused.
        clock: seconds since 1970, the same for all processes.
    """

    def __init__(self, cache: Cache, clock: Callable[[], float] = time.time) -> None:
        self._cache = cache
        self._clock = clock

    def check(self, limited: Sequence[Limited]) -> None:
        """Count one request against every limit, in one round trip.

        Raises:
            TooManyRequests: it is over one of them.
            LedgerUnavailable: the counters are in the ledger's database, which is unreachable.
        """
        [refused] = self.check_all([limited])
        if refused:
            raise refused

    def check_all(
        self, requests: Sequence[Sequence[Limited]]
    ) -> list[TooManyRequests | LedgerUnavailable | None]:
        """Count several requests, each against every limit of its own, in one round trip.

        Returns:
            For each the error that `check` would raise, or None.
        """
        now = self._clock()
        limits = [[item for item in limited if item.limit.count] for limited in requests]
        counters = [[_counter(item, now) for item in limited] for limited in limits]
        wanted = [counter for some in counters for counter in some]
        if not wanted:
            return [None] * len(requests)
        try:
            counts = iter(self._cache.count(wanted))
        except CacheUnavailable as error:
            if isinstance(error.__cause__, LedgerUnavailable):
                # The counters are in the ledger's database: what follows would wait in vain.
                return [_unreachable(error) for _ in requests]
            return [None] * len(requests)
        refused: list[TooManyRequests | LedgerUnavailable | None] = []
        for limited, counted in zip(limits, counters, strict=True):
            wait, exceeded = max(
                (
                    (retry_after(item.limit, *next(counts), now % item.limit.seconds), item.name)
                    for item in limited
                ),
                default=(0, ""),
            )
            if wait:
                with contextlib.suppress(CacheUnavailable):
                    self._cache.take_back(counted)
                tally.count(RATE_LIMITED, exceeded.partition(":")[0])
            refused.append(TooManyRequests(wait) if wait else None)
        return refused


def _unreachable(error: CacheUnavailable) -> LedgerUnavailable:
    unreachable = LedgerUnavailable()
    unreachable.__cause__ = error
    return unreachable


def _counter(item: Limited, now: float) -> Counter:
    window = int(now // item.limit.seconds)
    return Counter(
        key=f"{item.name}:{window}",
        previous_key=f"{item.name}:{window - 1}",
        lifetime=2 * item.limit.seconds,
    )
