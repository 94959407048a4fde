"""What dashboards and the client's alerts ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from functions.stats.health import HealthCheck, Report
from shared.cache.interface import Cache
from shared.config.parsers import IpNetwork, RateLimit
from shared.errors import LedgerUnavailable, TooManyRequests
from shared.http.client_address import limited_as
from shared.http.event import Request
from shared.http.rate_limit import Limited, RateLimiter
from shared.ledger.ledger import Ledger
from shared.ledger.lookup import RequestStatus
from shared.outcomes import together

LOOKUPS = RateLimit(6_000, 60)
"""RATE_LIMIT_CLIENT as it is by default."""

Refused = TooManyRequests | LedgerUnavailable | None
"""What the limits say of a request."""


@dataclass(frozen=True, slots=True)
class Config:
    """How often a client may ask.

    Attributes:
        per_client: GETs from one address.
        trusted_proxies: networks whose X-Forwarded-For counts.
        limit_status: how a request over the limit is answered.
        metrics_networks: networks that may read the metrics.
        lookups: look-ups of single requests from one address; those that find nothing are limited
            by `per_client` as well.
    """

    per_client: RateLimit
    trusted_proxies: Sequence[IpNetwork]
    limit_status: HTTPStatus = HTTPStatus.PRECONDITION_FAILED
    metrics_networks: Sequence[IpNetwork] = ()
    lookups: RateLimit = LOOKUPS


class Stats:
    """Counts, states of requests, and health.

    Args:
        config: how often a client may ask.
        cache: where requests are counted.
        ledger: where objects are counted.
    """

    def __init__(self, config: Config, cache: Cache, ledger: Ledger) -> None:
        self.limit_status = config.limit_status
        self._config = config
        self._limiter = RateLimiter(cache)
        self._ledger = ledger
        self._health = HealthCheck(ledger, cache)

    def admit(self, request: Request, what: str = "get") -> None:
        """Count a request against its address's limit.

        Args:
            request: the request.
            what: it asks for; each has a limit of its own, so that a monitor that polls the
                status does not use up the client's.

        Raises:
            TooManyRequests: it is over the limit.
        """
        [refused] = self.admit_all([request], what)
        if refused:
            raise refused

    def admit_all(self, requests: Sequence[Request], what: str = "get") -> Sequence[Refused]:
        """Count requests that came at the same time; return for each what `admit` would raise."""
        return self._limit(requests, what, self._config.per_client)

    def look_up_all(
        self, requests: Sequence[Request], signatures: Sequence[bytes]
    ) -> list[RequestStatus | Exception | None]:
        """Look up what became of the requests with some signatures.

        Their limit is a client's, which polls many objects. Look-ups in vain have a lower one.

        Args:
            requests: the look-ups, which came at the same time.
            signatures: one for each.

        Returns:
            In the place of each None if there is no such request, `TooManyRequests` if the client
            is over a limit, and `LedgerUnavailable` where the ledger cannot be read.
        """
        refused = self._limit(requests, "lookup", self._config.lookups)
        allowed = [error or signature for error, signature in zip(refused, signatures, strict=True)]
        found = together(self._ledger.lookup.find_all, allowed)
        vain = [request for request, one in zip(requests, found, strict=True) if one is None]
        limited = iter(self._limit(vain, "unknown", self._config.per_client))
        return [next(limited) if one is None else one for one in found]

    def _limit(self, requests: Sequence[Request], name: str, limit: RateLimit) -> Sequence[Refused]:
        clients = [limited_as(request.client(self._config.trusted_proxies)) for request in requests]
        return self._limiter.check_all([[Limited(f"{name}:{one}", limit)] for one in clients])

    def may_read_metrics(self, request: Request) -> bool:
        """Return whether the metrics are for this client."""
        return request.is_from(self._config.metrics_networks, self._config.trusted_proxies)

    def counts(self, *, detail: bool) -> dict[str, Any]:
        """Return the exact counts; failed objects count as queued, for they are not synced.

        Args:
            detail: add the failed, the seconds that the oldest queued object has waited (None
                if none waits), the bytes stored, and what is paused if anything is.

        Raises:
            LedgerUnavailable: they cannot be read.
        """
        counts = self._ledger.counts()
        document: dict[str, Any] = {
            "synced_objects_count": counts.synced,
            "queued_objects_count": counts.queued + counts.failed,
        }
        if detail:
            document |= {
                "failed_objects_count": counts.failed,
                "oldest_queued_seconds": self._ledger.oldest_queued_seconds(),
                "bytes_stored": counts.bytes_stored,
            }
            if pauses := self._ledger.pauses.all():
                document["paused"] = [
                    # Without the machine's name: anyone may ask.
                    {
                        "part": pause.part.partition(":")[0],
                        "reason": pause.reason,
                        "since": pause.since.isoformat(),
                    }
                    for pause in pauses
                ]
        return document

    def health(self) -> Report:
        """Return how well every part of the service works."""
        return self._health.run()
