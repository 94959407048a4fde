"""Many HTTP downloads on one thread: the only module that knows libcurl.

One curl multi handle with its sockets on a selector; connections are kept and shared. Everything
that is handed in runs on that thread, so receivers need no locks. Signing (SigV4) is libcurl's.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pycurl

from shared.errors import ContentMismatch, RetryLater, SourceUnavailable
from shared.sources.s3.aim import Aim, Signing
from shared.sources.s3.receiver import Receiver

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 10
MINIMUM_SPEED = 1024
"""Bytes a second; a connection that stays below is as good as dead."""

SUPPRESS_CONNECT_HEADERS = 265
"""CURLOPT_SUPPRESS_CONNECT_HEADERS, which pycurl has no name for: a proxy's answer to CONNECT is
not handed over as if it were the store's."""

BUFFER_BYTES = 131_072
"""Per connection: measured, larger ones gain nothing."""


class _Easy:
    """One reusable curl handle and the receiver that it works for."""

    def __init__(self, stall_seconds: int) -> None:
        self.receiver: Receiver | None = None
        self._lines: list[bytes] = []
        self._head_seen = False
        self._signing: Signing | None = None
        self.curl = pycurl.Curl()
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.FOLLOWLOCATION, 0),
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

    def prepare(self, aim: Aim, headers: list[str], receiver: Receiver) -> None:
        self.receiver, self._lines, self._head_seen = receiver, [], False
        signing = aim.signing
        if signing.token:
            headers = [*headers, f"x-amz-security-token: {signing.token}"]
        self.curl.setopt(pycurl.URL, aim.url)
        self.curl.setopt(pycurl.HTTPHEADER, headers)
        if signing != self._signing:
            self.curl.setopt(pycurl.AWS_SIGV4, f"aws:amz:{signing.region}:s3")
            self.curl.setopt(pycurl.USERNAME, signing.access_key)
            self.curl.setopt(pycurl.PASSWORD, signing.secret_key)
            self._signing = signing
        if isinstance(aim.trust, str):
            self.curl.setopt(pycurl.CAINFO, aim.trust)
        elif not aim.trust:
            self.curl.setopt(pycurl.SSL_VERIFYPEER, 0)
            self.curl.setopt(pycurl.SSL_VERIFYHOST, 0)

    def _on_header(self, line: bytes) -> int | None:
        line = line.strip()
        if line:
            if line.startswith(b"HTTP/"):  # an interim answer such as 100 comes first
                self._lines.clear()
            self._lines.append(line)
            return None
        return None if self._report_head() else -1

    def _on_body(self, data: bytes) -> int | None:
        return None if self.receiver is not None and self.receiver.on_body(data) else -1

    def _report_head(self) -> bool:
        status = _status(self._lines[0])
        if self._head_seen or status < 200 or self.receiver is None:  # noqa: PLR2004
            return True
        self._head_seen = True
        pairs = (line.decode("iso-8859-1").partition(":") for line in self._lines[1:])
        return self.receiver.on_head(status, {n.lower().strip(): v.strip() for n, _, v in pairs})


class Transport:
    """The thread, its connections and what waits to be done on it.

    Args:
        connections: how many may be open at once.
        stall_seconds: a transfer slower than `MINIMUM_SPEED` for so long is ended.
    """

    def __init__(self, connections: int, stall_seconds: int) -> None:
        self._stall_seconds = stall_seconds
        self._free: list[_Easy] = []
        self._active: dict[pycurl.Curl, _Easy] = {}
        self._calls: deque[Callable[[], None]] = deque()
        self._deadline: float | None = None
        self._closing = self._ended = self._woken = False
        self._wake_lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, connections)
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._thread = threading.Thread(target=self._run, name="transport", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], None]) -> None:
        """Has a function run on the transport's thread soon; may be called from any thread."""
        with self._wake_lock:
            if self._ended:
                return
            self._calls.append(function)
            if not self._woken:
                self._woken = True
                os.write(self._wake_write, b"\0")

    def get(self, aim: Aim, headers: list[str], receiver: Receiver) -> None:
        """Starts a GET; on the transport's thread only."""
        easy = self._free.pop() if self._free else _Easy(self._stall_seconds)
        easy.prepare(aim, headers, receiver)
        self._active[easy.curl] = easy
        self._multi.add_handle(easy.curl)

    def abort(self, receiver: Receiver) -> None:
        """Ends the transfer of a receiver without a further word to it; on the thread only."""
        for curl, easy in list(self._active.items()):
            if easy.receiver is receiver:
                self._release(curl)

    def close(self) -> None:
        """Ends all transfers and the thread."""
        self.call(self._stop)
        self._thread.join()

    def _stop(self) -> None:
        self._closing = True

    def _release(self, curl: pycurl.Curl) -> _Easy:
        easy = self._active.pop(curl)
        self._multi.remove_handle(curl)
        self._free.append(easy)
        return easy

    def _on_socket(self, event: int, socket: int, _multi: Any, _data: Any) -> None:
        if event == pycurl.POLL_REMOVE:
            if socket in self._selector.get_map():
                self._selector.unregister(socket)
            return
        mask = (selectors.EVENT_READ if event & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if event & pycurl.POLL_OUT else 0
        )
        if socket in self._selector.get_map():
            self._selector.modify(socket, mask)
        else:
            self._selector.register(socket, mask)

    def _on_timer(self, milliseconds: int) -> None:
        self._deadline = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _run(self) -> None:
        while not self._closing:
            wait = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            for key, mask in self._selector.select(wait):
                if key.fd == self._wake_read:
                    os.read(self._wake_read, 1)
                    self._woken = False  # before the calls are looked at: none is missed
                    continue
                bits = (pycurl.CSELECT_IN if mask & selectors.EVENT_READ else 0) | (
                    pycurl.CSELECT_OUT if mask & selectors.EVENT_WRITE else 0
                )
                self._multi.socket_action(key.fd, bits)
            if self._deadline is not None and self._deadline <= time.monotonic():
                self._deadline = None
                self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._finish()
            while self._calls:
                self._guarded(self._calls.popleft())
        for curl in list(self._active):
            self._release(curl)
        for easy in self._free:
            easy.curl.close()
        self._multi.close()
        self._selector.close()
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
                self._end(curl, _failure(code, text))

    def _end(self, curl: pycurl.Curl, error: RetryLater | None) -> None:
        receiver = self._release(curl).receiver
        if receiver is not None:
            self._guarded(lambda: receiver.on_end(error))

    def _guarded(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception:  # the thread is everyone's: one fault must not end it
            logger.exception("fault on the transport's thread")


def _status(line: bytes) -> int:
    """Reads the status line; libcurl has let it pass, so it has one."""
    return int(line.split(None, 2)[1])


_FAILURES = {
    pycurl.E_OPERATION_TIMEDOUT: "no answer, or too slow a one, in time",
    pycurl.E_COULDNT_CONNECT: "no connection",
    pycurl.E_COULDNT_RESOLVE_HOST: "the host name is not known",
    pycurl.E_GOT_NOTHING: "the connection was closed without an answer",
    pycurl.E_RECV_ERROR: "the connection broke",
    pycurl.E_SEND_ERROR: "the connection broke",
    pycurl.E_PEER_FAILED_VERIFICATION: "the certificate is not trusted",
    pycurl.E_WRITE_ERROR: "the transfer was ended here",
}


def _failure(code: int, text: str) -> RetryLater:
    """Translates an error of libcurl (its manual, libcurl-errors)."""
    if code == pycurl.E_PARTIAL_FILE:
        return ContentMismatch("the body was cut short")
    return SourceUnavailable(_FAILURES.get(code) or f"curl error {code}, {text}")
