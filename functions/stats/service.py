"""What dashboards and the client's warnings ask for."""

from __future__ import annotations

from collections.abc import Sequence

from shared.cache.interface import Cache
from shared.config.parsers import IpNetwork, RateLimit
from shared.errors import CacheUnavailable, LedgerUnavailable
from shared.http.client_address import client_address
from shared.http.event import Request
from shared.http.rate_limit import Limited, RateLimiter
from shared.ledger.ledger import Ledger


class Stats:
    """Counts and health.

    Args:
        limit: GETs from one address.
        trusted_proxies: networks whose X-Forwarded-For counts.
        cache: where requests are counted.
        ledger: where objects are counted.
    """

    def __init__(
        self,
        limit: RateLimit,
        trusted_proxies: Sequence[IpNetwork],
        cache: Cache,
        ledger: Ledger,
    ) -> None:
        self._limit = limit
        self._trusted_proxies = trusted_proxies
        self._cache = cache
        self._limiter = RateLimiter(cache)
        self._ledger = ledger

    def admit(self, request: Request) -> None:
        """Counts a request against its address's limit.

        Raises:
            TooManyRequests: it is over the limit.
        """
        client = client_address(
            request.peer, request.headers.get("x-forwarded-for"), self._trusted_proxies
        )
        self._limiter.check([Limited(f"get:{client}", self._limit)])

    def counts(self, *, detail: bool) -> dict[str, int | float | None]:
        """Return the exact counts; failed objects are among the queued, for they are not synced.

        Args:
            detail: give also the failed, the seconds that the oldest queued object has waited
                (None when none waits), and the bytes stored.

        Raises:
            LedgerUnavailable: they cannot be read.
        """
        counts = self._ledger.counts()
        document: dict[str, int | float | None] = {
            "synced_objects_count": counts.synced,
            "queued_objects_count": counts.queued + counts.failed,
        }
        if detail:
            document |= {
                "failed_objects_count": counts.failed,
                "oldest_queued_seconds": self._ledger.oldest_queued_seconds(),
                "bytes_stored": counts.bytes_stored,
            }
        return document

    def health(self) -> dict[str, str]:
        """Return for the database and the cache whether they answer: `ok` or what is wrong."""
        health = {"database": "ok", "cache": "ok"}
        try:
            self._ledger.ping()
        except LedgerUnavailable as error:
            health["database"] = str(error)
        try:
            self._cache.ping()
        except CacheUnavailable as error:
            health["cache"] = str(error)
        return health
