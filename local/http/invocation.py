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
        found = self._router.find(request.method, request.path)
        if isinstance(found, Target):
            outcome = self._outcome(found, request, request_id)
            answer = _answer(outcome, request, request_id)
        else:
            answer = identified(_unrouted(found), request_id)
        self._log(request, request_id, answer, begun)
        return answer

    def joint(self, request: HttpRequest) -> Target | None:
        """Return the target of a request if it may answer it together with others of its own."""
        found = self._router.find(request.method, request.path)
        return found if isinstance(found, Target) and found.joint else None

    def all(self, target: Target, requests: Sequence[HttpRequest]) -> list[Reply]:
        """Answer requests of one target that came at the same time, each as if it were alone.

        Args:
            target: as `joint` returned it for each of them.
            requests: at least one.
        """
        begun = self._clock()
        ids = [identity(request.headers) for request in requests]
        answers = [
            _answer(outcome, request, request_id)
            for outcome, request, request_id in zip(
                self._outcomes(target, requests, ids), requests, ids, strict=True
            )
        ]
        for request, request_id, answer in zip(requests, ids, answers, strict=True):
            self._log(request, request_id, answer, begun)
        return answers

    def _outcome(self, target: Target, request: HttpRequest, request_id: str) -> object:
        try:
            event = self._event(target, request, request_id)
            return target.handler(event, Context(target.seconds, request_id))
        except Exception as error:  # logged with its request  # noqa: BLE001
            return error

    def _outcomes(
        self, target: Target, requests: Sequence[HttpRequest], ids: Sequence[str]
    ) -> Sequence[object]:
        if target.joint is None:
            return [self._outcome(target, *one) for one in zip(requests, ids, strict=True)]
        try:
            events = [self._event(target, *one) for one in zip(requests, ids, strict=True)]
            return target.joint(events, Context(target.seconds, ids[0]))
        except Exception as error:  # logged with each request  # noqa: BLE001
            return [error] * len(requests)

    def _log(self, request: HttpRequest, request_id: str, answer: Reply, begun: float) -> None:
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

    def _event(self, target: Target, request: HttpRequest, request_id: str) -> dict[str, Any]:
        return event(
            # GET is what a function sees of a HEAD request that its route for GET takes.
            method=request.method if target.method in ("ANY", request.method) else target.method,
            path=request.path,
            query=request.query,
            protocol=request.protocol,
            headers=request.headers,
            body=request.body,
            peer=request.peer,
            request_id=request_id,
            now=self._clock(),
        )


def _answer(outcome: object, request: HttpRequest, request_id: str) -> Reply:
    """Return the reply to a function's result, or to the error that it ended with."""
    if isinstance(outcome, Exception):
        error = outcome
    else:
        try:
            return reply(outcome)
        except Exception as unsendable:  # noqa: BLE001 # whatever a function returns
            error = unsendable
    about = {"request_id": request_id, "path": request.path}
    logger.error("function failed", exc_info=error, extra=about)
    failed = refused(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")
    return identified(failed, request_id)


def _unrouted(allowed: Sequence[str]) -> Reply:
    """Return the response for a path without a route, or a method that its routes lack."""
    if not allowed:
        return refused(HTTPStatus.NOT_FOUND, "Not found")
    return refused(
        HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", ("allow", ", ".join(allowed))
    )
