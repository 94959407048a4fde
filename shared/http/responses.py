"""The contract's HTTP answers to what went wrong: the one place that knows their statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from shared import errors
from shared.http.event import Request, Response

_STATUS: Mapping[type[errors.RequestRefused], int] = {
    errors.BodyTooLarge: 413,
    errors.SignatureMissing: 401,
    errors.SignatureInvalid: 401,
    errors.TooManyRequests: 412,
    errors.MalformedJson: 400,
    errors.InvalidFields: 400,
    errors.ObjectExists: 409,
}

RETRY_AFTER_SECONDS = 5
"""Seconds after which a client may try again when a server of ours is unreachable."""


def refusal(refused: errors.RequestRefused) -> Response:
    """Return the answer to a refused request."""
    document: dict[str, object] = {"detail": str(refused)}
    headers = {}
    match refused:
        case errors.InvalidFields():
            document["errors"] = refused.errors
        case errors.TooManyRequests():
            headers["retry-after"] = str(refused.retry_after)
        case errors.SignatureMissing() | errors.SignatureInvalid():
            # RFC 9110, section 11.6.1: a 401 names the scheme that it asks for.
            headers["www-authenticate"] = "HMAC-SHA256"
    return Response.json(_STATUS[type(refused)], document, headers)


def unavailable() -> Response:
    """Gives the answer when the ledger is unreachable: nothing was accepted."""
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
    return Response.json(503, {"detail": "Service unavailable"}, headers)


def misrouted(
    request: Request,
    routes: Mapping[str, Sequence[str]],
    elsewhere: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Response | None:
    """Answer a request that a function has no route for.

    A Function URL passes everything on, and an HTTP API passes what has no route to the function
    of `$default`.

    Args:
        request: the request.
        routes: path without a trailing slash to the methods that the function answers there.
        elsewhere: the same of other functions, which `Allow` names too.

    Returns:
        404 or 405 with `Allow` (RFC 9110, section 15.5.6), or None when there is a route.
    """
    path = request.path.removesuffix("/")
    methods = routes.get(path)
    if methods is None:
        return Response.json(404, {"detail": "Not found"})
    if request.method not in methods:
        allowed = ", ".join([*methods, *elsewhere.get(path, ())])
        return Response.json(405, {"detail": "Method not allowed"}, {"allow": allowed})
    return None
