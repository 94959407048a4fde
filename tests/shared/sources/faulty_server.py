"""An HTTP server that does exactly what a test tells it to, sockets included."""

from __future__ import annotations

import base64
import hashlib
import re
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass
class Asked:
    """A request as it was received."""

    path: str
    headers: dict[str, str]

    @property
    def span(self) -> tuple[int, int | None] | None:
        """First and last byte of its Range header."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        return (int(match[1]), int(match[2]) if match[2] else None) if match else None


@dataclass
class Answer:
    """A response; empty headers are left out, `send` replaces what is sent after them."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    send: Callable[[Any, Asked], None] | None = None


class FaultyServer:
    """Answers every request with `answer(asked)`, in a thread for each connection."""

    def __init__(
        self, answer: Callable[[Asked], Answer], tls: ssl.SSLContext | None = None
    ) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.ended = threading.Event()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    while outer._serve(self):
                        pass
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self._tls = tls
        if tls:
            # Shaken by the thread of its connection: a silent client delays no other.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, handler: socketserver.StreamRequestHandler) -> bool:
        line = handler.rfile.readline().decode()
        if not line.strip():
            return False
        headers = {}
        while (text := handler.rfile.readline().decode().strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        asked = Asked(line.split()[1], headers)
        self.asked.append(asked)
        answer = self.answer(asked)
        lines = [f"HTTP/1.1 {answer.status} X"]
        announced = {"Content-Length": str(len(answer.body)), **answer.headers}
        lines += [f"{n}: {v}" for n, v in announced.items() if v]
        handler.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        if answer.send is not None:
            answer.send(handler.connection, asked)
            return False
        handler.wfile.write(answer.body)
        return True


def s3_object(body: bytes, **headers: str) -> Callable[[Asked], Answer]:
    """Return a rule that serves one object as S3 does: ETag, ranges, If-Match."""
    etag = headers.pop("etag", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')
    named = {"Accept-Ranges": "bytes"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}

    def rule(asked: Asked) -> Answer:
        if asked.headers.get("if-match", etag) != etag:
            return error(412, "PreconditionFailed")
        if asked.span is None:
            return Answer(200, {"ETag": etag, **named}, body)
        first, last = asked.span
        piece = body[first : len(body) if last is None else last + 1]
        reach = f"bytes {first}-{first + len(piece) - 1}/{len(body)}"
        return Answer(206, {"ETag": etag, "Content-Range": reach}, piece)

    return rule


def error(status: int, code: str = "", extra: str = "", **headers: str) -> Answer:
    """Return an S3 error document."""
    document = f"<?xml version='1.0'?><Error><Code>{code}</Code>{extra}<Message>m</Message></Error>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, document.encode() if code else b"")


def b64(value: bytes) -> str:
    """Return a checksum as S3 writes it."""
    return base64.b64encode(value).decode()
