"""One request through its function: event in, reply out, even where the function fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from local.context import Context, request_id
from local.http.function_url import Reply, event, reply
from local.http.router import Router, Target

logger = logging.getLogger(__name__)

_JSON = ("content-type", "application/json")


class HttpRequest(NamedTuple):
    """A request as the server has it; see `local.http.function_url.event` for the fields."""

    method: str
    path: str
    query: str
    protocol: str
    headers: list[tuple[str, str]]
    body: bytes
    peer: str


def refused(status: HTTPStatus, detail: str, *headers: tuple[str, str]) -> Reply:
    """Return an answer of the runtime's own, without calling a function."""
    return Reply(status, [_JSON, *headers], f'{{"detail": "{detail}"}}'.encode())


class Invoker:
    """The way of a request to its function.

    Args:
        router: finds the function.
        clock: returns seconds since 1970.
    """

    def __init__(self, router: Router, clock: Callable[[], float] = time.time) -> None:
        self._router = router
        self._clock = clock

    def __call__(self, request: HttpRequest) -> Reply:
        """Answer a request; an error in the function becomes a 500 and one log record.

        Lambda itself would answer 502, without a body that a client could use.
        """
        found = self._router.find(request.method, request.path)
        if not isinstance(found, Target):
            if found:
                return refused(
                    HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", ("allow", ", ".join(found))
                )
            return refused(HTTPStatus.NOT_FOUND, "Not found")
        identity = request_id()
        method = request.method if found.method in ("ANY", request.method) else found.method
        try:
            return reply(
                found.handler(
                    self._event(request, method, identity), Context(found.seconds, identity)
                )
            )
        except Exception:
            logger.exception(
                "function failed", extra={"request_id": identity, "path": request.path}
            )
            return refused(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")

    def _event(self, request: HttpRequest, method: str, identity: str) -> dict[str, Any]:
        return event(
            method=method,
            path=request.path,
            query=request.query,
            protocol=request.protocol,
            headers=request.headers,
            body=request.body,
            peer=request.peer,
            request_id=identity,
            now=self._clock(),
        )
