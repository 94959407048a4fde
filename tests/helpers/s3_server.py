"""An S3 over HTTP that misbehaves by rules: what a request is answered is a function's choice.

`ObjectServer` has the sockets and speaks HTTP/1.1. A rule is a function from a request to its
answer; `s3_head`, `s3_object` and `error` answer as S3 does. `FaultyServer` runs in a test's own
process, with a rule for each test; the fault suite's store runs as a process of its own.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

RESET_SECONDS = 0.05
"""Time for what was sent to arrive before a reset, which discards what has not."""


class CloseConnection(Exception):
    """Raised by a rule or by the pieces of a body: the connection is closed there."""


class ResetConnection(CloseConnection):
    """As `CloseConnection`, with a RST."""


@dataclass
class Asked:
    """A request as it came; the names of its headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def span(self) -> tuple[int, int | None] | None:
        """First and last byte of its Range header."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        return (int(match[1]), int(match[2]) if match[2] else None) if match else None


@dataclass
class Answer:
    """An answer; a header without a value is left out.

    Attributes:
        status: of HTTP.
        headers: Content-Length and S3's request id are added where they are not among them.
        body: its bytes.
        pieces: sent in place of the body, for what is too large to be held in memory.
        send: writes to the connection itself what follows the headers; it is closed afterwards.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pieces: Iterable[bytes] | None = None
    send: Callable[[Any, Asked], None] | None = None

    @property
    def head(self) -> bytes:
        """Status line and headers, as they are sent."""
        added = {"Content-Length": str(len(self.body)), "x-amz-request-id": "4442587FB7D0A2F9"}
        headers = {**added, **self.headers}
        lines = [f"HTTP/1.1 {self.status} X", *(f"{n}: {v}" for n, v in headers.items() if v)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


Rule = Callable[[Asked], Answer]


class ObjectServer(socketserver.ThreadingTCPServer):
    """Answers every request by a rule, in a thread for each connection.

    Args:
        rule: called in the thread of the request's connection.
        port: where to listen; 0 for any free port.
        tls: makes it an HTTPS server.
        host: address to listen on.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(
        self,
        rule: Rule,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__((host, port), _Connection)
        self.rule = rule
        if tls:
            # The thread of a connection shakes hands: a client that sends nothing delays no other.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )


class _Connection(socketserver.StreamRequestHandler):
    server: ObjectServer

    def handle(self) -> None:
        try:
            while self._answer():
                pass
        except ResetConnection:
            time.sleep(RESET_SECONDS)
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        except (CloseConnection, OSError):
            pass

    def _answer(self) -> bool:
        """Answer one request; return whether another may follow."""
        line = self.rfile.readline().decode()
        if not line.strip():
            return False
        headers = {}
        while (text := self.rfile.readline().decode().strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        method, path = line.split()[:2]
        asked = Asked(method, path, headers)
        answer = self.server.rule(asked)
        self.wfile.write(answer.head)
        if method == "HEAD":
            return True
        if answer.send is not None:
            answer.send(self.connection, asked)
            return False
        for piece in [answer.body] if answer.pieces is None else answer.pieces:
            self.wfile.write(piece)
        return True


class FaultyServer:
    """An `ObjectServer` on a thread of the test's process, while its block runs.

    Attributes:
        answer: the rule; it may be replaced.
        asked: the requests so far.
        ended: set when the block ends, for rules that wait.
    """

    def __init__(self, answer: Rule, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.ended = threading.Event()
        self._server = ObjectServer(self._recorded, tls=tls)
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _recorded(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.answer(asked)


def s3_head(asked: Asked, etag: str, size: int) -> tuple[Answer, int, int]:
    """Answer a request for an object as S3 does, as far as its content does not matter.

    Args:
        asked: the request; If-Match, If-None-Match and Range count.
        etag: the object's, in quotes.
        size: the object's, in bytes.

    Returns:
        An answer without a body, the first byte to send, and the one behind the last. Nothing is
        to be sent where the object is refused (304, 412, 416): that answer has its body.
    """
    if asked.headers.get("if-match", etag) != etag:
        return error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed"), 0, 0
    if asked.headers.get("if-none-match") == etag:
        return Answer(HTTPStatus.NOT_MODIFIED, {"ETag": etag, "Content-Length": ""}), 0, 0
    first, end, headers = 0, size, {"ETag": etag, "Accept-Ranges": "bytes"}
    if asked.span is not None:
        first, last = asked.span
        end = size if last is None else min(size, last + 1)
        if first >= size:
            return error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange"), 0, 0
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - first)
    status = HTTPStatus.OK if asked.span is None else HTTPStatus.PARTIAL_CONTENT
    return Answer(status, headers), first, end


def s3_object(body: bytes, **headers: str) -> Rule:
    """Return a rule that serves one object as S3 does: ETag, ranges, conditions.

    Args:
        body: the object.
        headers: more of them for the whole object, `_` in place of `-`; `etag` replaces the ETag.
    """
    etag = headers.pop("etag", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')

    def rule(asked: Asked) -> Answer:
        answer, first, end = s3_head(asked, etag, len(body))
        if answer.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            answer.body = body[first:end]
        if answer.status == HTTPStatus.OK:
            answer.headers |= _named(headers)
        return answer

    return rule


def error(status: int, code: str = "", extra: str = "", **headers: str) -> Answer:
    """Return an error document of S3.

    Args:
        status: of HTTP.
        code: S3's name of the error; without one there is no document.
        extra: more elements of the document.
        headers: more of them, `_` in place of `-`.
    """
    document = f"<?xml version='1.0'?><Error><Code>{code}</Code>{extra}<Message>m</Message></Error>"
    return Answer(status, _named(headers), document.encode() if code else b"")


def b64(value: bytes) -> str:
    """Return a checksum as S3 writes it."""
    return base64.b64encode(value).decode()


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
