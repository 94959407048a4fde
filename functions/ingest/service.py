"""Accepting a request: authenticate, limit, validate, record, publish, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

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
from shared.outcomes import each, together
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

    def accept_all(self, requests: Sequence[Request]) -> list[Accepted | Exception]:
        """Accept requests that came at the same time, in one round trip to each server.

        The ledger is the outbox: a row is delivered whatever becomes of its message, which is why
        publishing comes last and cannot fail. The signature is the idempotency key.

        Returns:
            In the place of each its row, committed by then, or why it was not accepted: the first
            `RequestRefused` that applies, or `LedgerUnavailable`, when nothing was recorded.
        """
        signed = together(self._limit, each(self._authenticate, requests))
        recorded = together(self._record, each(self._validate, signed))
        return each(self._publish, recorded)

    def _authenticate(self, request: Request) -> _Signed:
        if len(request.body) > self._config.max_body_bytes:
            raise BodyTooLarge(f"the limit is {self._config.max_body_bytes} bytes")
        client = self.client(request)
        try:
            signature = signing.verify(
                self._config.keys, request.body, request.headers.get("authorization")
            )
        except (SignatureMissing, SignatureInvalid):
            self._limiter.check([Limited(f"unsigned:{client}", self._config.unsigned)])
            raise
        return _Signed(request, client, signature)

    def _limit(self, signed: Sequence[_Signed]) -> list[_Signed | Exception]:
        refused = self._limiter.check_all(
            [
                [
                    Limited(f"post:{one.client}:{one.signature.hex()}", self._config.per_signature),
                    Limited(f"client:{one.client}", self._config.per_client),
                ]
                for one in signed
            ]
        )
        return [error or one for error, one in zip(refused, signed, strict=True)]

    def _validate(self, signed: _Signed) -> NewObject:
        request = signed.request
        wanted = validation.parse(request.body, request.headers.get("content-type", ""))
        return NewObject(
            oeid=wanted.oeid,
            ref_id=wanted.ref_id,
            file_name=wanted.file_name,
            file_type=wanted.file_type,
            payload_checksum=signed.signature,
            request_id=request.request_id,
        )

    def _record(self, news: Sequence[NewObject]) -> list[_Recorded | Exception]:
        injection_point(CrashPoint.BEFORE_RECORD)
        ids = self._ledger.record_all(news, due_in=self._config.delivery_seconds)
        return [_recorded(new, row_id) for new, row_id in zip(news, ids, strict=True)]

    def _publish(self, recorded: _Recorded) -> Accepted:
        injection_point(CrashPoint.AFTER_RECORD)
        self._publisher.publish(recorded.row_id, recorded.new.request_id)
        injection_point(CrashPoint.AFTER_HAND_OVER)
        return Accepted(recorded.row_id, recorded.new.payload_checksum)

    def client(self, request: Request) -> str:
        """Return what limits count a request under: its address, or the site of an IPv6 one."""
        return limited_as(request.client(self._config.trusted_proxies))


class _Signed(NamedTuple):
    """A request that a client of ours made."""

    request: Request
    client: str
    signature: bytes


class _Recorded(NamedTuple):
    """A request whose row is committed."""

    new: NewObject
    row_id: int


def _recorded(new: NewObject, row_id: int | Exception | None) -> _Recorded | Exception:
    if row_id is None:
        return ObjectExists(new.payload_checksum)
    if isinstance(row_id, RowRefused):
        # The ledger is stricter than the contract, by a constraint that was added there.
        refused = InvalidFields([{"field": row_id.column, "reason": row_id.about}])
        refused.__cause__ = row_id
        return refused
    return row_id if isinstance(row_id, Exception) else _Recorded(new, row_id)
