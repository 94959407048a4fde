"""Accepting a request: authenticate, limit, validate, record, publish, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from shared.config.parsers import IpNetwork, RateLimit
from shared.errors import (
    BodyTooLarge,
    InvalidFields,
    ObjectExists,
    RowRefused,
    SignatureInvalid,
    SignatureMissing,
)
from shared.http import signing, validation
from shared.http.client_address import limited_as
from shared.http.event import Request
from shared.http.rate_limit import Limited, RateLimiter
from shared.injection_points import CrashPoint, injection_point
from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject
from shared.queue.publisher import Publisher


@dataclass(frozen=True, slots=True)
class Config:
    """What is accepted, from whom, and how often.

    Attributes:
        keys: the HMAC keys in use.
        max_body_bytes: largest body.
        per_signature: limit on one signature from one address: a replay storm.
        per_client: limit on one address.
        unsigned: limit on missing or invalid signatures from one address.
        trusted_proxies: networks whose X-Forwarded-For counts.
        delivery_seconds: how long a recorded row's message may take.
        limit_status: how a request over a limit is answered.
    """

    keys: Sequence[bytes]
    max_body_bytes: int
    per_signature: RateLimit
    per_client: RateLimit
    unsigned: RateLimit
    trusted_proxies: Sequence[IpNetwork]
    delivery_seconds: float
    limit_status: HTTPStatus = HTTPStatus.PRECONDITION_FAILED


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted request.

    Attributes:
        row_id: of its row.
        signature: by which its client finds it again, 32 bytes.
    """

    row_id: int
    signature: bytes


class Ingest:
    """Accepts sync requests.

    Args:
        config: what is accepted.
        limiter: counts requests.
        ledger: where they are recorded.
        publisher: sends the message that names a recorded row.
    """

    def __init__(
        self, config: Config, limiter: RateLimiter, ledger: Ledger, publisher: Publisher
    ) -> None:
        self.limit_status = config.limit_status
        self._config = config
        self._limiter = limiter
        self._ledger = ledger
        self._publisher = publisher

    def accept(self, request: Request) -> Accepted:
        """Accept one request; when this returns, its row is committed.

        The ledger is the outbox: the row is delivered whatever becomes of its message, which is why
        publishing comes last and cannot fail. The signature is the idempotency key.

        Raises:
            RequestRefused: one of its kinds, the first that applies.
            LedgerUnavailable: nothing was recorded.
        """
        if len(request.body) > self._config.max_body_bytes:
            raise BodyTooLarge(f"the limit is {self._config.max_body_bytes} bytes")
        client = self.client(request)
        signature = self._authenticate(request, client)
        self._limiter.check(
            [
                Limited(f"post:{client}:{signature.hex()}", self._config.per_signature),
                Limited(f"client:{client}", self._config.per_client),
            ]
        )
        wanted = validation.parse(request.body, request.headers.get("content-type", ""))
        injection_point(CrashPoint.BEFORE_RECORD)
        row_id = self._record(
            NewObject(
                oeid=wanted.oeid,
                ref_id=wanted.ref_id,
                file_name=wanted.file_name,
                file_type=wanted.file_type,
                payload_checksum=signature,
                request_id=request.request_id,
            ),
            due_in=self._config.delivery_seconds,
        )
        if row_id is None:
            raise ObjectExists(signature)
        injection_point(CrashPoint.AFTER_RECORD)
        self._publisher.publish(row_id, request.request_id)
        injection_point(CrashPoint.AFTER_HAND_OVER)
        return Accepted(row_id, signature)

    def _record(self, new: NewObject, due_in: float) -> int | None:
        try:
            return self._ledger.record(new, due_in)
        except RowRefused as refused:
            # The ledger is stricter than the contract, by a constraint that was added there.
            raise InvalidFields([{"field": refused.column, "reason": refused.about}]) from refused

    def client(self, request: Request) -> str:
        """Return what limits count a request under: its address, or the site of an IPv6 one."""
        return limited_as(request.client(self._config.trusted_proxies))

    def _authenticate(self, request: Request, client: str) -> bytes:
        try:
            return signing.verify(
                self._config.keys, request.body, request.headers.get("authorization")
            )
        except (SignatureMissing, SignatureInvalid):
            self._limiter.check([Limited(f"unsigned:{client}", self._config.unsigned)])
            raise
