"""`POST /events/s3/`: authenticate what a store sends, read it, record it, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from functions.s3_events import authorization
from functions.s3_events.documents import parse
from functions.s3_events.service import Report, S3Events
from shared.config.parsers import IpNetwork, RateLimit
from shared.errors import BodyTooLarge, SecretRefused
from shared.http.body_limits import EVENT_BYTES
from shared.http.client_address import limited_as
from shared.http.event import Request
from shared.http.rate_limit import Limited, RateLimiter


@dataclass(frozen=True, slots=True)
class Access:
    """Who may send events.

    Attributes:
        secret: that a store sends along.
        unsigned: limit on missing or invalid secrets from one address.
        trusted_proxies: networks whose X-Forwarded-For counts.
        limit_status: how a request over the limit is answered.
    """

    secret: bytes
    unsigned: RateLimit
    trusted_proxies: Sequence[IpNetwork]
    limit_status: HTTPStatus = HTTPStatus.PRECONDITION_FAILED


class Endpoint:
    """Accepts events by HTTP.

    Those with the secret are not limited: a store drops an event that is refused too often.

    Args:
        access: who may send them.
        limiter: counts requests without the secret.
        events: records them.
    """

    def __init__(self, access: Access, limiter: RateLimiter, events: S3Events) -> None:
        self.limit_status = access.limit_status
        self._access = access
        self._limiter = limiter
        self._events = events

    def accept(self, request: Request) -> Report:
        """Record what a request tells; when this returns, it is committed.

        Raises:
            RequestRefused: one of its kinds. What could be read beside something unreadable is
                recorded.
            LedgerUnavailable: not all is recorded.
        """
        if len(request.body) > EVENT_BYTES:
            raise BodyTooLarge
        try:
            authorization.verify(self._access.secret, request.headers.get("authorization"))
        except SecretRefused:
            client = self.client(request)
            self._limiter.check([Limited(f"unsigned:{client}", self._access.unsigned)])
            raise
        wanted, unreadable = self._events.sift(parse(request.body))
        report = self._events.record(wanted, request.request_id)
        if unreadable:
            raise unreadable[0]
        return report

    def client(self, request: Request) -> str:
        """Return what limits count a request under: its address, or the site of an IPv6 one."""
        return limited_as(request.client(self._access.trusted_proxies))
