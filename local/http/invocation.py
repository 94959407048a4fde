"""One request through its function: event in, reply out, even where the function fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from local.context import Context
from local.context import request_id as new_request_id
from local.http.function_url import Reply, event, reply
from local.http.router import Router, Target
from shared.http.request_id import HEADER, is_safe

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


def identity(headers: Iterable[tuple[str, str]]) -> str:
    """Return the id of a request: its own if that is safe, otherwise a new one."""
    brought = [value for name, value in headers if name == HEADER]
    return brought[0] if len(brought) == 1 and is_safe(brought[0]) else new_request_id()


def identified(refusal: Reply, request_id: str) -> Reply:
    """Return the runtime's own response with the request's id, like responses of functions."""
    return refusal._replace(headers=[*refusal.headers, (HEADER, request_id)])


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
        begun, request_id = self._clock(), identity(request.headers)
        answer = self._answer(request, request_id)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "request answered",
                extra={
                    "request_id": request_id,
                    "client": request.peer,
                    "method": request.method,
                    "path": request.path,
                    "status": int(answer.status),
                    "milliseconds": round(1000 * (self._clock() - begun), 1),
                },
            )
        return answer

    def _answer(self, request: HttpRequest, request_id: str) -> Reply:
        found = self._router.find(request.method, request.path)
        if not isinstance(found, Target):
            return identified(_unrouted(found), request_id)
        method = request.method if found.method in ("ANY", request.method) else found.method
        try:
            event = self._event(request, method, request_id)
            return reply(found.handler(event, Context(found.seconds, request_id)))
        except Exception:
            logger.exception(
                "function failed", extra={"request_id": request_id, "path": request.path}
            )
            failed = refused(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")
            return identified(failed, request_id)

    def _event(self, request: HttpRequest, method: str, request_id: str) -> dict[str, Any]:
        return event(
            method=method,
            path=request.path,
            query=request.query,
            protocol=request.protocol,
            headers=request.headers,
            body=request.body,
            peer=request.peer,
            request_id=request_id,
            now=self._clock(),
        )


def _unrouted(allowed: Sequence[str]) -> Reply:
    """Return the response for a path without a route, or a method that its routes lack."""
    if not allowed:
        return refused(HTTPStatus.NOT_FOUND, "Not found")
    return refused(
        HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", ("allow", ", ".join(allowed))
    )
