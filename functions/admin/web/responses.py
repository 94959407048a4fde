"""Responses that many pages give, and the headers that all of them carry. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from shared.http.event import Response

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "frame-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
"""No inline script or style, nothing from other sites, no frame around it."""

SAFE_HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def redirect(url: str) -> Response:
    """Return a redirect to another page, which the browser gets by GET."""
    headers = {**SAFE_HEADERS, "location": url, "cache-control": "no-store"}
    return Response(HTTPStatus.SEE_OTHER, headers=headers)


def with_headers(response: Response, headers: Mapping[str, str]) -> Response:
    """Return a response with more headers."""
    return replace(response, headers={**response.headers, **headers})


def with_cookie(response: Response, cookie: str) -> Response:
    """Return a response with one more `Set-Cookie` value."""
    return replace(response, cookies=(*response.cookies, cookie))
