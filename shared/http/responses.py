"""The contract's HTTP responses to everything that goes wrong, functions and server alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType

from shared import errors
from shared.http import status_address
from shared.http.event import Request, Response

STATUSES: Mapping[type[errors.RequestRefused], HTTPStatus] = {
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.SignatureMissing: HTTPStatus.UNAUTHORIZED,
    errors.SignatureInvalid: HTTPStatus.UNAUTHORIZED,
    errors.MalformedJson: HTTPStatus.BAD_REQUEST,
    errors.InvalidFields: HTTPStatus.BAD_REQUEST,
    errors.ObjectExists: HTTPStatus.CONFLICT,
}

RETRY_AFTER_SECONDS = 5
"""Seconds after which a client may try again when one of our servers is unreachable."""


def refusal(
    refused: errors.RequestRefused, limit_status: HTTPStatus = HTTPStatus.PRECONDITION_FAILED
) -> Response:
    """Return the response to a refused request.

    Args:
        refused: why.
        limit_status: of a request over a limit, the original application's unless set otherwise.
    """
    document: dict[str, object] = {"detail": str(refused)}
    if refused.reason:
        document["reason"] = refused.reason
    headers = {}
    match refused:
        case errors.InvalidFields():
            document["errors"] = refused.errors
        case errors.TooManyRequests():
            headers["retry-after"] = str(refused.retry_after)
        case errors.SignatureMissing() | errors.SignatureInvalid():
            # RFC 9110, section 11.6.1: a 401 names the scheme that it asks for.
            headers["www-authenticate"] = "HMAC-SHA256"
        case errors.ObjectExists():
            headers["location"] = status_address.of(refused.signature)
    return Response.json(STATUSES.get(type(refused), limit_status), document, headers)


def unavailable() -> Response:
    """Return the response when the ledger is unreachable: nothing was accepted."""
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
    return Response.json(HTTPStatus.SERVICE_UNAVAILABLE, {"detail": "Service unavailable"}, headers)


def not_found() -> Response:
    """Return the response for what does not exist, whatever kind of thing it would be."""
    return Response.json(HTTPStatus.NOT_FOUND, {"detail": "Not found"})


def misrouted(
    request: Request,
    routes: Mapping[str, Sequence[str]],
    elsewhere: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Response | None:
    """Return the response to a request that a function has no route for.

    A Function URL passes every request on, and an HTTP API passes those without a route to the
    function of `$default`.

    Args:
        request: the request.
        routes: path without a trailing slash to the methods that the function answers there;
            `status_address.ROUTE` stands for the path of every signature.
        elsewhere: the same for other functions, which `Allow` names too.

    Returns:
        404, or 405 with `Allow` (RFC 9110, section 15.5.6); None if there is a route.
    """
    path = request.path.removesuffix("/")
    if status_address.signature_in(request.path):
        path = status_address.ROUTE
    methods = routes.get(path)
    if methods is None:
        return not_found()
    if request.method not in methods:
        allowed = ", ".join([*methods, *elsewhere.get(path, ())])
        return Response.json(
            HTTPStatus.METHOD_NOT_ALLOWED, {"detail": "Method not allowed"}, {"allow": allowed}
        )
    return None
