"""The application that granian calls: bodies are read on the event loop, functions run in threads.

granian's other interface for blocking code, WSGI, costs half as much a request, but reads bodies
in the threads: as many clients as there are threads, each stalling in mid-body, would stop the
service. See docs/decisions/0005-http-server.md.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
from collections.abc import Callable
from typing import Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined] # named there, not exported

from local.http.deadlines import Patience
from local.http.function_url import Reply
from local.http.invocation import HttpRequest, refused
from local.http.threads import Threads

logger = logging.getLogger(__name__)

BODY_SECONDS = 10.0
"""Seconds that a client may take to send its body."""

MOST_WAITING = 2_000
"""Requests that may wait for a thread; beyond them a client had better come back later."""

STOP_SECONDS = 20.0
"""Seconds that functions still at work get once the server has stopped."""

TOO_SLOW = refused(408, "Request timeout", ("connection", "close"))
INCOMPLETE = refused(400, "Incomplete request body", ("connection", "close"))
BUSY = refused(503, "Service unavailable", ("retry-after", "1"))


class RsgiApp:
    """One worker process's application (RSGI specification, granian's documentation).

    Args:
        answer: answers a request; called in several threads at once.
        threads: how many.
        max_body_bytes: no more than one byte more of a body is read, for the function to refuse.
        on_running: is called once the event loop runs.
        body_seconds: see `BODY_SECONDS`.
    """

    def __init__(
        self,
        answer: Callable[[HttpRequest], Reply],
        *,
        threads: int,
        max_body_bytes: int,
        on_running: Callable[[], None],
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._answer = answer
        self._count = threads
        self._max_body_bytes = max_body_bytes
        self._on_running = on_running
        self._body_seconds = body_seconds
        self._threads: Threads | None = None
        self._patience: Patience | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Is called when the worker starts."""
        self._threads = Threads(loop, self._count)
        self._patience = Patience(loop, self._body_seconds)
        loop.call_soon(self._on_running)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Is called when the worker ends."""
        if self._threads:
            self._threads.close(STOP_SECONDS)
        # multiprocessing, whose child this is, leaves without them. Functions flush in there.
        atexit._run_exitfuncs()  # noqa: SLF001

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Is called for each request."""
        threads, patience = self._threads, self._patience
        if threads is None or patience is None or threads.waiting() >= MOST_WAITING:
            protocol.response_bytes(*BUSY)
            return
        headers = scope.headers.items()
        try:
            body = await self._body(headers, protocol, patience)
        except TimeoutError:
            protocol.response_bytes(*TOO_SLOW)
            return
        except (ProtocolClosed, RuntimeError, EOFError):
            protocol.response_bytes(*INCOMPLETE)
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
        await threads.submit(lambda: self._reply(request, protocol))

    def _reply(self, request: HttpRequest, protocol: Any) -> None:
        reply = self._answer(request)
        try:
            protocol.response_bytes(*reply)
        except ProtocolClosed:
            logger.debug("the client has gone", extra={"path": request.path})

    async def _body(
        self, headers: list[tuple[str, str]], protocol: Any, patience: Patience
    ) -> bytes:
        """Reads the body, at most one byte more than is allowed.

        Raises:
            TimeoutError: the client is too slow.
            EOFError: it ended in the middle.
        """
        length: int | None = None
        chunked = False
        for name, value in headers:
            if name == "content-length":
                length = int(value)
            elif name == "transfer-encoding":
                chunked = True
        if not length and not chunked:
            return b""
        with patience.limit():
            if length is not None and length <= self._max_body_bytes:
                body: bytes = await protocol()
            else:
                body = await self._beginning(protocol)
        if length is not None and len(body) < min(length, self._max_body_bytes + 1):
            raise EOFError
        return body

    async def _beginning(self, protocol: Any) -> bytes:
        body = bytearray()
        async for chunk in protocol:
            body += chunk
            if len(body) > self._max_body_bytes:
                break
        return bytes(body[: self._max_body_bytes + 1])
