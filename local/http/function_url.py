"""Requests to Function URL events, results of functions to HTTP responses. Pure conversion.

The rules are those of payload format 2.0 (AWS Lambda developer guide, "Invoking Lambda function
URLs"): header names in lower case, repeated ones joined by commas, cookies in their own array
both ways, a body as base64 unless its type is text, an answer without a status as the body of
a 200.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from shared.http.event import is_text

DOMAIN_PREFIX = "local"
"""The name of this runtime where AWS's events name an API."""

_SAFE = "/:@!$&'()*+,;=~-._"
"""Characters that stay as they are in a path (RFC 3986, `pchar` and "/")."""

_HOP_BY_HOP = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers of the connection, or computed again (RFC 9110, section 7.6.1)."""

_FINAL_STATUSES = range(200, 600)


class Reply(NamedTuple):
    """One HTTP answer, ready for the server to send.

    Attributes:
        status: HTTP status code.
        headers: names in lower case; `set-cookie` may be repeated.
        body: the bytes to send.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def event(
    *,
    method: str,
    path: str,
    query: str,
    protocol: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    peer: str,
    request_id: str,
    now: float,
) -> dict[str, Any]:
    """Return the event of one request.

    Args:
        method: as it was sent.
        path: decoded, beginning with a slash.
        query: as it was sent, without the question mark.
        protocol: such as HTTP/1.1.
        headers: in the order they were sent, names in lower case.
        body: the raw bytes.
        peer: address of the peer that connected.
        request_id: of the invocation.
        now: seconds since 1970.
    """
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in headers:
        if name == "cookie":
            cookies += [c.strip() for c in value.split(";") if c.strip()]
        elif name in joined:
            joined[name] += "," + value
        else:
            joined[name] = value
    raw_path = quote(path, safe=_SAFE)
    domain = joined.get("host", "")
    plain = _plain(joined.get("content-type", ""))
    text = _decoded(body) if plain else None
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": DOMAIN_PREFIX,
            "domainName": domain,
            "domainPrefix": DOMAIN_PREFIX,
            "http": {
                "method": method,
                "path": raw_path,
                "protocol": protocol,
                "sourceIp": peer,
                "userAgent": joined.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": _clf(int(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": bool(body) and text is None,
    }
    if body:
        found["body"] = base64.b64encode(body).decode() if text is None else text
    if cookies:
        found["cookies"] = cookies
    return found


def reply(answer: object) -> Reply:
    """Return the HTTP answer that a function's result describes.

    Raises:
        ValueError: the result cannot be sent to a client.
    """
    if not isinstance(answer, dict) or "statusCode" not in answer:
        body = json.dumps(answer).encode()
        return Reply(HTTPStatus.OK, [("content-type", "application/json")], body)
    status = int(answer["statusCode"])
    if status not in _FINAL_STATUSES:
        raise ValueError(f"{status} is no final HTTP status")
    headers = [
        (name.lower(), str(value))
        for name, value in (answer.get("headers") or {}).items()
        if name.lower() not in _HOP_BY_HOP
    ]
    headers += [("set-cookie", cookie) for cookie in answer.get("cookies") or ()]
    return Reply(status, headers, _answered(answer))


def _answered(answer: Mapping[str, Any]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        return json.dumps(body).encode()
    if not answer.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError("the body is not base64") from error


def _decoded(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        # A string of JSON cannot hold these bytes. As base64 they reach the function unharmed.
        return None


@lru_cache(maxsize=256)
def _plain(content_type: str) -> bool:
    return is_text(content_type)


@lru_cache(maxsize=2)
def _clf(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
