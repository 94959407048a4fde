"""HTTP as a function sees it: the Function URL event in, its response out. Pure conversion.

The event is payload format 2.0, which Function URLs and HTTP APIs share (AWS Lambda developer
guide, "Invoking Lambda function URLs"; API Gateway guide, "Working with AWS Lambda proxy
integrations for HTTP APIs"). The local HTTP server uses the same shape, so that a function cannot
tell where it runs.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote

from shared.config.parsers import IpNetwork
from shared.http.client_address import client_address, is_within
from shared.http.request_id import HEADER, accepted

TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript")
"""AWS passes these as text; every other body, including one without a type, is base64."""


_ENCODER = json.JSONEncoder(ensure_ascii=False)


def is_text(content_type: str) -> bool:
    """Return whether AWS passes a body of this type through as plain text."""
    return content_type.strip().lower().startswith(TEXT_TYPES)


class Request(NamedTuple):
    """One HTTP request.

    Attributes:
        method: upper case.
        path: decoded, without a stage.
        query: the first value of each parameter.
        headers: names in lower case, repeated ones joined by commas.
        cookies: name to value.
        body: the raw bytes, which signatures are made over.
        peer: address of the peer that connected, as the platform saw it.
        request_id: the platform's id of this request, in the safe form; never empty.
        raw_query: the query as it came, still encoded.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    body: bytes
    peer: str
    request_id: str
    raw_query: str = ""

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a payload 2.0 event; keys that AWS may leave out or set to null may be missing."""
        context = event["requestContext"]
        http = context["http"]
        path = unquote(event.get("rawPath") or "/")
        stage = context.get("stage") or "$default"
        if stage != "$default" and (path + "/").startswith(f"/{stage}/"):
            path = path[len(stage) + 1 :] or "/"
        raw_query = event.get("rawQueryString") or ""
        cookies = [cookie.partition("=") for cookie in event.get("cookies") or ()]
        return cls(
            method=http["method"].upper(),
            path=path,
            query=_first(parse_qsl(raw_query, keep_blank_values=True)) if raw_query else {},
            headers={k.lower(): v for k, v in (event.get("headers") or {}).items()},
            cookies=_first([(name.strip(), value) for name, _, value in cookies]),
            body=_body(event),
            peer=http.get("sourceIp") or "",
            request_id=accepted(context.get("requestId")),
            raw_query=raw_query,
        )

    def client(self, trusted_proxies: Sequence[IpNetwork]) -> str:
        """Return the client's address, for limits and log lines.

        Args:
            trusted_proxies: networks whose `X-Forwarded-For` counts; see `client_address`.
        """
        forwarded_for = self.headers.get("x-forwarded-for")
        return client_address(self.peer, forwarded_for, trusted_proxies)

    def is_from(self, networks: Sequence[IpNetwork], trusted_proxies: Sequence[IpNetwork]) -> bool:
        """Return whether the client is in one of the networks.

        A request that a proxy passed on which is not trusted comes from an unknown address.

        Args:
            networks: those that are asked for.
            trusted_proxies: as `client`.
        """
        forwarded = self.headers.keys() & {"x-forwarded-for", "forwarded"}
        if forwarded and not is_within(self.peer, trusted_proxies):
            return False
        return is_within(self.client(trusted_proxies), networks)


def _first(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return dict(reversed(pairs))


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        # A lone surrogate is not a character of any encoding: kept, it fails the signature check.
        return str(body).encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        # The platform never sends this. Bytes that were not signed end as an invalid signature.
        return str(body).encode(errors="surrogatepass")


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        # Text in another encoding cannot be part of JSON; the platform takes it as base64, too.
        return None


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response.

    Attributes:
        status: HTTP status code.
        body: bytes as they go over the wire.
        headers: names in lower case.
        cookies: whole `Set-Cookie` values.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()

    @classmethod
    def json(cls, status: int, document: object, headers: Mapping[str, str] | None = None) -> Self:
        """Return a response whose body is a JSON document."""
        merged = {"content-type": "application/json", **(headers or {})}
        return cls(status, _ENCODER.encode(document).encode(), merged)

    def to_event(self, request_id: str) -> dict[str, Any]:
        """Return the response in the shape of payload format 2.0.

        Args:
            request_id: of the request that it answers; every response tells it.
        """
        text = _text(self.body) if is_text(self.headers.get("content-type", "")) else None
        event: dict[str, Any] = {
            "statusCode": self.status,
            "headers": {**self.headers, HEADER: request_id},
            "body": base64.b64encode(self.body).decode() if text is None else text,
            "isBase64Encoded": text is None,
        }
        if self.cookies:
            event["cookies"] = list(self.cookies)
        return event
