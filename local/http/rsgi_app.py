"""The application that granian calls: bodies are read on the event loop, functions run in threads.

granian's other interface for blocking code, WSGI, costs half as much a request, but reads bodies
in the threads: as many clients as there are threads, each stalling in mid-body, would stop the
service. See docs/decisions/0005-http-server.md.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined] # not in its __all__

from local.allowed_hosts import AllowedHosts
from local.http.bodies import read_body
from local.http.deadlines import Deadlines
from local.http.function_url import Reply
from local.http.gathered import Gathered
from local.http.invocation import HttpRequest, Invoker, identified, identity, refused
from local.http.router import Target
from local.http.threads import Threads

logger = logging.getLogger(__name__)

BODY_SECONDS = 10.0
"""How long a client may take to send its body."""

ANSWER_SECONDS = 8.0
"""Seconds within which a request is answered once its body is there, the wait for a thread
included. With PostgreSQL frozen each thread waits up to 9 s (`CONNECT_SECONDS` and
`STATEMENT_SECONDS`), and those behind it would wait as long again."""

PATIENT = "/admin/"
PATIENT_SECONDS = 28.0
"""The same for people, whose request may read large files or many rows. The function has 29 s
(template.yaml) and ends its own work before."""

MOST_WAITING = 2_000
"""Requests that may wait for a thread; beyond them a client is asked to come back later."""

STOP_SECONDS = 20.0
"""How long functions may take to finish once the server has stopped."""

TOO_SLOW = refused(HTTPStatus.REQUEST_TIMEOUT, "Request timeout", ("connection", "close"))
INCOMPLETE = refused(HTTPStatus.BAD_REQUEST, "Incomplete request body", ("connection", "close"))
NO_HOST = refused(HTTPStatus.BAD_REQUEST, "One Host header is required", ("connection", "close"))
MISDIRECTED = refused(
    HTTPStatus.MISDIRECTED_REQUEST,
    "The service does not have this host name, see ALLOWED_HOSTS",
    ("connection", "close"),
)
"""421, for the request is meant for another server (RFC 9110, section 15.5.20): neither is it
malformed (400) nor would a login help (403)."""

BUSY = refused(HTTPStatus.SERVICE_UNAVAILABLE, "Service unavailable", ("retry-after", "1"))


class RsgiApp:
    """The application of one worker process (RSGI specification, granian's documentation).

    Args:
        answer: answers requests; it is called in several threads at once.
        threads: number of threads.
        max_body_bytes: no more than one byte more of a body is read, for the function to refuse.
        larger_bodies: the same for single paths, without a trailing slash.
        allowed_hosts: the names that clients may call the service by.
        on_running: called once the event loop runs.
        body_seconds: see `BODY_SECONDS`.
        answer_seconds: see `ANSWER_SECONDS`; a request may get a tenth more.
    """

    def __init__(
        self,
        answer: Invoker,
        *,
        threads: int,
        max_body_bytes: int,
        larger_bodies: Mapping[str, int] = MappingProxyType({}),
        on_running: Callable[[], None],
        allowed_hosts: AllowedHosts,
        body_seconds: float = BODY_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._answer = answer
        self._count = threads
        self._max_body_bytes = max_body_bytes
        self._larger_bodies = larger_bodies
        self._on_running = on_running
        self._allowed_hosts = allowed_hosts
        self._body_seconds = body_seconds
        self._answer_seconds = answer_seconds
        self._threads: Threads | None = None
        self._deadlines: Deadlines | None = None
        self._answers: Deadlines | None = None
        self._patient: Deadlines | None = None
        self._gathered: dict[Target, Gathered[tuple[HttpRequest, _Response]]] = {}

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set up the worker; granian calls it at the start."""
        self._threads = Threads(loop, self._count)
        self._deadlines = Deadlines(loop, self._body_seconds)
        self._answers = Deadlines(loop, self._answer_seconds)
        self._patient = Deadlines(loop, PATIENT_SECONDS)
        loop.call_soon(self._on_running)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let functions finish and run exit hooks; granian calls it at the end."""
        if self._threads:
            self._threads.close(STOP_SECONDS)
        # A child of multiprocessing ends without exit hooks; functions flush their messages there.
        atexit._run_exitfuncs()  # noqa: SLF001 # there is no public way to run them

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request; granian calls it on the event loop."""
        threads, deadlines = self._threads, self._deadlines
        answers = self._patient if scope.path.startswith(PATIENT) else self._answers
        headers = scope.headers.items()
        if not (threads and deadlines and answers) or self._waiting(threads) >= MOST_WAITING:
            _refuse(protocol, BUSY, headers)
            return
        refusal = self._misdirected(scope, headers)
        if refusal is not None:
            _refuse(protocol, refusal, headers)
            return
        try:
            most = self._larger_bodies.get(scope.path.removesuffix("/"), self._max_body_bytes)
            body = await read_body(headers, protocol, deadlines, most)
        except TimeoutError:
            _refuse(protocol, TOO_SLOW, headers)
            return
        except (ProtocolClosed, RuntimeError, EOFError):
            _refuse(protocol, INCOMPLETE, headers)
            return
        request = HttpRequest(
            method=scope.method,
            path=scope.path,
            query=scope.query_string,
            protocol=f"HTTP/{scope.http_version}",
            headers=headers,
            body=body,
            peer=scope.client.rpartition(":")[0].strip("[]"),
        )
        response = _Response(protocol)
        try:
            with answers.limit():
                await self._submit(threads, request, response)
        except TimeoutError:
            if response.give(identified(BUSY, identity(headers))):
                logger.warning("answered too late", extra={"path": request.path})

    def _waiting(self, threads: Threads) -> int:
        return threads.waiting() + sum(some.waiting() for some in self._gathered.values())

    def _submit(
        self, threads: Threads, request: HttpRequest, response: _Response
    ) -> asyncio.Future[None]:
        target = self._answer.joint(request)
        if target is None:
            return threads.submit(lambda: self._reply(request, response))
        gathered = self._gathered.get(target)
        if gathered is None:
            gathered = Gathered(threads, partial(self._reply_all, target))
            self._gathered[target] = gathered
        return gathered.submit((request, response))

    def _reply(self, request: HttpRequest, response: _Response) -> None:
        if not response.given:
            _give(response, self._answer(request), request)

    def _reply_all(self, target: Target, asked: Sequence[tuple[HttpRequest, _Response]]) -> None:
        open_ = [(request, response) for request, response in asked if not response.given]
        if not open_:
            return
        replies = self._answer.all(target, [request for request, _ in open_])
        for (request, response), reply in zip(open_, replies, strict=True):
            _give(response, reply, request)

    def _misdirected(self, scope: Any, headers: list[tuple[str, str]]) -> Reply | None:
        """Return the refusal of a request for another server, before any function sees it.

        The name is the target's where that is a whole URL, and of `Host` otherwise; both must be
        ours. Only a client older than HTTP/1.1, and so no browser, may leave it out (RFC 9112,
        section 3.2).
        """
        hosts = [value for name, value in headers if name == "host"]
        if len(hosts) > 1 or (not hosts and scope.http_version not in {"1", "1.0"}):
            return NO_HOST
        named = [*hosts, scope.authority] if scope.authority else hosts
        return None if all(map(self._allowed_hosts.allows, named)) else MISDIRECTED


class _Response:
    """The response to one request, which a thread and the event loop may both want to give.

    Args:
        protocol: granian's.

    Attributes:
        given: whether it has been.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._giving = threading.Lock()
        self.given = False

    def give(self, reply: Reply) -> bool:
        """Send a reply unless there was one; return whether it was sent."""
        with self._giving:
            if self.given:
                return False
            self.given = True
        try:
            self._protocol.response_bytes(*reply)
        except ProtocolClosed:
            return False
        return True


def _give(response: _Response, reply: Reply, request: HttpRequest) -> None:
    if not response.give(reply):
        logger.debug("the client has gone, or has its answer", extra={"path": request.path})


def _refuse(protocol: Any, refusal: Reply, headers: list[tuple[str, str]]) -> None:
    protocol.response_bytes(*identified(refusal, identity(headers)))
