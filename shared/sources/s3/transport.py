"""Many HTTP downloads on one thread, by libcurl.

One multi handle of libcurl (`shared.curl_sockets`); connections are kept and shared.
Everything that is handed in runs on that thread, so response handlers need no locks. libcurl
signs the requests (SigV4), but for what it cannot, see `signing`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Protocol

import pycurl

from shared.aws.credentials import Credentials
from shared.curl_sockets import SUPPRESS_CONNECT_HEADERS, CurlSockets
from shared.errors import ContentMismatch, RetryLater, SourceUnavailable
from shared.proxies import PROXY_LOGIN
from shared.sources.s3.location import SignedUrl
from shared.sources.s3.server_clock import ServerClock
from shared.sources.s3.signing import libcurl_can_sign, sign
from shared.threads import SupervisedThread

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 10
MINIMUM_SPEED = 1024
"""Bytes per second; a slower connection is considered dead."""

CHECKSUMS_WANTED = "x-amz-checksum-mode: ENABLED"
"""S3 sends an object's checksums only when asked to."""

CONTENT = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT})
"""Statuses whose body is bytes of the object; that of any other is an error document."""

BUFFER_BYTES = 131_072
"""Per connection: measured, larger ones gain nothing."""


class ResponseHandler(Protocol):
    """What takes the response to one request; called on the transport's thread alone."""

    def on_head(self, status: int, headers: dict[str, str]) -> bool:
        """Take the status and the headers (names lower-case); False ends the transfer."""
        ...

    def on_body(self, data: bytes) -> bool:
        """Take the next bytes of the body; False ends the transfer."""
        ...

    def on_end(self, error: RetryLater | None) -> None:
        """Take the end of the transfer: what cut it short, None where it is complete."""
        ...


class _Easy:
    """One reusable easy handle of libcurl, and the handler of its current response."""

    def __init__(self, stall_seconds: int, clock: ServerClock) -> None:
        self._clock = clock
        self.handler: ResponseHandler | None = None
        self.refusal: SourceUnavailable | None = None
        self.proxied = False
        self._lines: list[bytes] = []
        self._head_seen = False
        # What the handle was set to last:
        self._signed_as: tuple[str, Credentials] | None = None
        self._headers: list[str] | None = None
        self._way: tuple[str, bool | str, bool] | None = None
        self.curl = pycurl.Curl()
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.HTTP_CONTENT_DECODING, 0),  # what is stored is wanted
            (SUPPRESS_CONNECT_HEADERS, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),  # S3 speaks nothing newer
            (pycurl.CONNECTTIMEOUT, CONNECT_SECONDS),
            (pycurl.LOW_SPEED_LIMIT, MINIMUM_SPEED),
            (pycurl.LOW_SPEED_TIME, stall_seconds),
            (pycurl.BUFFERSIZE, BUFFER_BYTES),
            (pycurl.TCP_KEEPALIVE, 1),
            (pycurl.HEADERFUNCTION, self._on_header),
            (pycurl.WRITEFUNCTION, self._on_body),
        ):
            self.curl.setopt(option, value)

    def prepare(
        self, target: SignedUrl, headers: list[str], handler: ResponseHandler, *, gzip: bool
    ) -> None:
        self.handler, self._lines, self._head_seen = handler, [], False
        credentials = target.credentials
        if credentials.token:
            headers = [*headers, f"x-amz-security-token: {credentials.token}"]
        # Versions of libcurl differ in how they sign a query, and it signs with our own time.
        seconds = self._clock.time()
        if seconds or "?" in target.url or not libcurl_can_sign(credentials.access_key):
            headers = sign(target, headers, seconds or time.time())
        self.refusal = None
        self.proxied = bool(target.proxy)
        # pycurl takes a str of ASCII alone; the signature is of UTF-8 (as botocore's).
        self.curl.setopt(pycurl.URL, target.url.encode())
        if headers != self._headers:
            self.curl.setopt(pycurl.HTTPHEADER, [header.encode() for header in headers])
            self._headers = headers
        if (target.proxy, target.trust, gzip) != self._way:
            self._set_way(target, gzip=gzip)
            self._way = target.proxy, target.trust, gzip
        if (target.region, credentials) != self._signed_as:
            self.curl.setopt(pycurl.AWS_SIGV4, f"aws:amz:{target.region}:s3".encode())
            self.curl.setopt(pycurl.USERNAME, credentials.access_key.encode())
            self.curl.setopt(pycurl.PASSWORD, credentials.secret_key.encode())
            self._signed_as = target.region, credentials

    def _set_way(self, target: SignedUrl, *, gzip: bool) -> None:
        # Both always: libcurl would read the environment by rules of its own, see shared.proxies.
        self.curl.setopt(pycurl.PROXY, os.fsencode(target.proxy))
        self.curl.setopt(pycurl.NOPROXY, "")
        # By an option of its own, it is not signed: proxies rewrite this header.
        self.curl.setopt(pycurl.ACCEPT_ENCODING, "gzip" if gzip else None)
        if isinstance(target.trust, str):
            self.curl.setopt(pycurl.CAINFO, os.fsencode(target.trust))
        elif not target.trust:
            self.curl.setopt(pycurl.SSL_VERIFYPEER, 0)
            self.curl.setopt(pycurl.SSL_VERIFYHOST, 0)

    def _on_header(self, line: bytes) -> int | None:
        if line.isspace():
            return None if self._report_head() else -1
        if line.startswith(b"HTTP/"):  # an interim response such as 100 comes first
            self._lines.clear()
        self._lines.append(line)
        return None

    def _on_body(self, data: bytes) -> int | None:
        return None if self.handler is not None and self.handler.on_body(data) else -1

    def _report_head(self) -> bool:
        status = _status(self._lines[0])
        if self._head_seen or status < HTTPStatus.OK or self.handler is None:
            return True
        self._head_seen = True
        headers = {}
        for line in self._lines[1:]:
            name, _, value = line.decode("iso-8859-1").partition(":")
            headers[name.lower().strip()] = value.strip()
        self.refusal = _proxy_refusal(status, headers) if self.proxied else None
        # Only then: an answer that was accepted may come from a cache, with its old date.
        if self.refusal is None and status == HTTPStatus.FORBIDDEN:
            self._clock.learn(headers.get("date", ""))
        return self.refusal is None and self.handler.on_head(status, headers)


class Transport:
    """The thread, its connections and the calls that wait for it.

    If the thread fails, every transfer ends with an error, and it starts again with new handles.

    Args:
        connections: how many may be open at once.
        stall_seconds: a transfer that is slower than `MINIMUM_SPEED` for this long is ended.
    """

    def __init__(self, connections: int, stall_seconds: int) -> None:
        self._connections = connections
        self._stall_seconds = stall_seconds
        self._clock = ServerClock()
        self._calls: deque[Callable[[], None]] = deque()
        self._closing = self._ended = self._woken = False
        self._wake_lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self._open()
        self._thread = SupervisedThread("transport", self._run, lambda _: self._recover())
        self._thread.start()

    def _open(self) -> None:
        self._free: list[_Easy] = []
        self._active: dict[pycurl.Curl, _Easy] = {}
        self._sockets = CurlSockets(self._connections)
        self._sockets.watch(self._wake_read)
        self._multi = self._sockets.multi
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, self._connections)

    def _recover(self) -> None:
        """End every transfer with an error, and begin with new handles."""
        sockets, ended, free = self._sockets, list(self._active.values()), self._free
        self._open()
        with suppress(pycurl.error):  # the error that brought us here counts
            for easy in ended:
                sockets.multi.remove_handle(easy.curl)
            for easy in [*ended, *free]:
                easy.curl.close()
        with suppress(pycurl.error):
            sockets.close()
        self._woken = False
        self.call(lambda: None)  # what had been called may have been missed
        error = SourceUnavailable("internal error of the worker, see its log")
        for easy in ended:
            if handler := easy.handler:
                easy.handler = None
                self._guarded(partial(handler.on_end, error))

    def call(self, function: Callable[[], None]) -> None:
        """Run a function on the thread, after what is running there; from any thread."""
        with self._wake_lock:
            if self._ended:
                return
            self._calls.append(function)
            if not self._woken:
                self._woken = True
                os.write(self._wake_write, b"\0")

    def get(
        self,
        target: SignedUrl,
        headers: list[str],
        handler: ResponseHandler,
        *,
        gzip: bool = False,
    ) -> None:
        """Start a GET; on the transport's thread, and not from `on_head` or `on_body`.

        Args:
            target: what to get.
            headers: more of them, as lines.
            handler: takes the response.
            gzip: allow a body in gzip; it is never decompressed here.
        """
        easy = self._free.pop() if self._free else _Easy(self._stall_seconds, self._clock)
        easy.prepare(target, headers, handler, gzip=gzip)
        self._active[easy.curl] = easy
        self._multi.add_handle(easy.curl)

    def abort(self, handler: ResponseHandler) -> None:
        """End the transfer of a handler without calling it again; where `get` may be called."""
        for curl, easy in list(self._active.items()):
            if easy.handler is handler:
                self._release(curl)

    def close(self) -> None:
        """End all transfers and the thread."""
        self._thread.stop()
        self.call(self._stop)
        self._thread.join()

    def _stop(self) -> None:
        self._closing = True

    def _release(self, curl: pycurl.Curl) -> _Easy:
        easy = self._active.pop(curl)
        self._multi.remove_handle(curl)
        self._free.append(easy)
        return easy

    def _run(self) -> None:
        while not self._closing:
            if self._sockets.step():
                os.read(self._wake_read, 1)
                self._woken = False  # before the calls are looked at: none is missed
            self._finish()
            while self._calls:
                self._guarded(self._calls.popleft())
        for curl in list(self._active):
            self._release(curl)
        for easy in self._free:
            easy.curl.close()
        self._sockets.close()
        with self._wake_lock:
            self._ended = True
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _finish(self) -> None:
        waiting = 1
        while waiting:
            waiting, complete, failed = self._multi.info_read()
            for curl in complete:
                self._end(curl, None)
            for curl, code, text in failed:
                easy = self._active[curl]
                error = _proxy_failure(code, curl) if easy.proxied else None
                self._end(curl, easy.refusal or error or _failure(code, text))

    def _end(self, curl: pycurl.Curl, error: RetryLater | None) -> None:
        handler = self._release(curl).handler
        if handler is not None:
            self._guarded(lambda: handler.on_end(error))

    def _guarded(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception:  # all downloads share the thread: one fault must not end it
            logger.exception("fault on the transport's thread")


def _status(line: bytes) -> int:
    """Return the status of a status line, which libcurl has checked."""
    return int(line.split(None, 2)[1])


_FAILURES = {
    pycurl.E_OPERATION_TIMEDOUT: "it did not answer in time, or too slowly",
    pycurl.E_COULDNT_CONNECT: "no connection could be made",
    pycurl.E_COULDNT_RESOLVE_HOST: "the host name cannot be resolved",
    pycurl.E_GOT_NOTHING: "the connection was closed without a response",
    pycurl.E_RECV_ERROR: "the connection broke",
    pycurl.E_SEND_ERROR: "the connection broke",
    pycurl.E_PEER_FAILED_VERIFICATION: "the certificate is not trusted",
    pycurl.E_WRITE_ERROR: "the transfer was ended on our side",
}


_PROXY_FAILURES = {
    pycurl.E_COULDNT_CONNECT: "no connection could be made to it",
    pycurl.E_COULDNT_RESOLVE_PROXY: "its host name cannot be resolved",
    pycurl.E_GOT_NOTHING: "it closed the connection without a response",
}


_REFUSALS = {
    HTTPStatus.FORBIDDEN,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


def _proxy_refusal(status: int, headers: Mapping[str, str]) -> SourceUnavailable | None:
    """Return the error for a response that is the proxy's own, None for one of S3.

    S3 explains a refusal in XML; a proxy explains it to people.
    """
    if status == PROXY_LOGIN:
        return SourceUnavailable("the proxy asks for a login (407)")
    for_people = headers.get("content-type", "").startswith(("text/html", "text/plain"))
    if status in _REFUSALS and for_people and "x-amz-request-id" not in headers:
        return SourceUnavailable(f"the proxy refuses it, or reaches no server ({status})")
    return None


def _proxy_failure(code: int, curl: pycurl.Curl) -> SourceUnavailable | None:
    """Return the error for a connection that ended at the proxy, None for another."""
    status = int(curl.getinfo(pycurl.HTTP_CONNECTCODE))
    if status == PROXY_LOGIN:
        return SourceUnavailable("the proxy asks for a login (407)")
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        return SourceUnavailable(f"the proxy refuses to connect ({status})")
    if not status and code in _PROXY_FAILURES:
        return SourceUnavailable(f"the proxy: {_PROXY_FAILURES[code]}")
    return None


def _failure(code: int, text: str) -> RetryLater:
    """Translate an error of libcurl (its manual, libcurl-errors)."""
    if code == pycurl.E_PARTIAL_FILE:
        return ContentMismatch("the body was cut short")
    return SourceUnavailable(_FAILURES.get(code) or f"curl error {code}, {text}")
