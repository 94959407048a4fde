"""One request through its function: event in, reply out, whatever the function does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from local.context import Context, request_id
from local.http.function_url import Reply, event, reply
from local.http.router import Router, Target

logger = logging.getLogger(__name__)

_JSON = ("content-type", "application/json")


class HttpRequest(NamedTuple):
    """What the server knows of a request; see `local.http.function_url.event` for the fields."""

    method: str
    path: str
    query: str
    protocol: str
    headers: list[tuple[str, str]]
    body: bytes
    peer: str


def refused(status: int, detail: str, *headers: tuple[str, str]) -> Reply:
    """Makes an answer that no function was asked for."""
    return Reply(status, [_JSON, *headers], f'{{"detail": "{detail}"}}'.encode())


class Invoker:
    """Calls the function that a request is for.

    Args:
        router: knows the functions.
        clock: seconds since 1970.
    """

    def __init__(self, router: Router, clock: Callable[[], float] = time.time) -> None:
        self._router = router
        self._clock = clock

    def __call__(self, request: HttpRequest) -> Reply:
        """Answers a request; an error in the function becomes a 500 and one log record.

        Lambda itself answers 502 then, without a body that a client could use.
        """
        found = self._router.find(request.method, request.path)
        if not isinstance(found, Target):
            if found:
                return refused(405, "Method not allowed", ("allow", ", ".join(found)))
            return refused(404, "Not found")
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
            return refused(500, "Internal server error")

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
