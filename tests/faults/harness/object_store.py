"""An S3 that misbehaves as a key asks it to: `python object_store.py PORT`.

A key is `<behaviour>/<size>/<name>`. What the object holds follows from the key alone, so the
store keeps no data, a restart loses none, and a test knows every byte without asking.
"""

from __future__ import annotations

import collections
import contextlib
import enum
import functools
import hashlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

BUCKET = "client-uploads"
BLOCK = 1 << 20
LARGEST_MD5 = 128 << 20
"""Beyond it the ETag is no MD5, so that the store says nothing of the content: only for an object
that it gives as it is. What it spoils must be smaller, or nobody could tell."""

HANG_SECONDS = 90.0


class Behaviour(enum.StrEnum):
    """What the store does; "once" is the first request for a key."""

    PLAIN = "plain"
    """Gives the object."""
    DENIED = "denied"
    """403 for ever."""
    ABSENT = "absent"
    """404 for ever."""
    LATE = "late"
    """404 once: the object is not visible yet."""
    BROKEN_ONCE = "broken-once"
    """500 once."""
    BROKEN = "broken"
    """500 for ever."""
    SLOW_DOWN = "slow-down"
    """503 SlowDown once."""
    SHORT = "short"
    """The body ends in the middle, once."""
    LONG = "long"
    """More bytes than announced, once."""
    WRONG_ONCE = "wrong-once"
    """Wrong bytes of the right length, once."""
    WRONG = "wrong"
    """Wrong bytes of the right length, for ever."""
    REPLACED = "replaced"
    """Another version takes the object's place while the first request is answered."""
    TRICKLE = "trickle"
    """A byte a second, once."""
    RESET = "reset"
    """The connection is reset in the middle of the body, once."""
    HANG = "hang"
    """No answer at all, once."""
    SILENT = "silent"
    """No answer at all, for ever."""
    REDIRECT = "redirect"
    """307 to another host's file, for ever."""


def blocks(key: str, version: int = 0) -> Iterator[bytes]:
    """Gives an object's content in pieces of at most `BLOCK` bytes."""
    size = int(key.split("/")[1])
    seed = hashlib.sha256(f"{version} {key}".encode()).digest()
    block = hashlib.shake_128(seed).digest(min(BLOCK, size))
    for start in range(0, size, BLOCK):
        # Each block differs from the one before, so that swapped ranges do not go unnoticed.
        mark = struct.pack(">Q", start)
        yield (mark + block[8:])[: min(BLOCK, size - start)]


def sha256(key: str, version: int = 0) -> bytes:
    """Gives the digest of an object's content."""
    digest = hashlib.sha256()
    for block in blocks(key, version):
        digest.update(block)
    return digest.digest()


def final_version(key: str) -> int:
    """Gives the version that a copy must end with."""
    return 1 if key.startswith(f"{Behaviour.REPLACED}/") else 0


@functools.lru_cache(maxsize=256)
def etag(key: str, version: int) -> str:
    """Gives the ETag, without quotes."""
    if int(key.split("/")[1]) > LARGEST_MD5:
        # S3 makes no such ETag (its form is digest-parts), so nobody can take it for an MD5.
        return "v" + hashlib.sha256(f"{version} {key}".encode()).hexdigest()[:31]
    digest = hashlib.md5(usedforsecurity=False)
    for block in blocks(key, version):
        digest.update(block)
    return digest.hexdigest()


REFUSALS = {
    Behaviour.DENIED: (403, "AccessDenied"),
    Behaviour.ABSENT: (404, "NoSuchKey"),
    Behaviour.BROKEN: (500, "InternalError"),
    Behaviour.REDIRECT: (307, "TemporaryRedirect"),
}
"""Answers that are given for ever, and those that are given once: status and code."""

FIRST_REFUSALS = {
    Behaviour.LATE: (404, "NoSuchKey"),
    Behaviour.BROKEN_ONCE: (500, "InternalError"),
    Behaviour.SLOW_DOWN: (503, "SlowDown"),
}
BREAKS = {Behaviour.SHORT, Behaviour.RESET, Behaviour.TRICKLE}


def behaviour_of(key: str) -> Behaviour | None:
    """Gives what a key asks for; None where there is no such object."""
    try:
        behaviour, size, _ = key.split("/", 2)
        return Behaviour(behaviour) if int(size) >= 0 else None
    except ValueError:
        return None


def pieces(key: str, version: int, span: tuple[int, int]) -> Iterator[tuple[int, bytes]]:
    """Gives part of an object's content, each piece with its position."""
    first, end = span
    position = 0
    for block in blocks(key, version):
        piece = block[max(0, first - position) : max(0, end - position)]
        if piece:
            yield position + max(0, first - position), piece
        position += len(block)


class _Store(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Request)
        self._asked: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def ask(self, key: str) -> int:
        """Counts a request for a key; gives how many came before it."""
        with self._lock:
            self._asked[key] += 1
            return self._asked[key] - 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients that go away are the order of the day here."""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Store

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        if bucket != BUCKET:
            self._refuse(404, "NoSuchBucket")
            return
        behaviour = behaviour_of(key)
        if behaviour is None:
            self._refuse(404, "NoSuchKey")
            return
        before = self.server.ask(key)
        refusal = REFUSALS.get(behaviour) or (not before and FIRST_REFUSALS.get(behaviour))
        if refusal:
            location = f"http://127.0.0.1:{self.server.server_port}/{BUCKET}/plain/9/elsewhere"
            more = [("Location", location)] if behaviour is Behaviour.REDIRECT else []
            self._refuse(*refusal, *more)
        elif behaviour is Behaviour.SILENT or (behaviour is Behaviour.HANG and not before):
            time.sleep(HANG_SECONDS)
            self.close_connection = True
        else:
            self._give(key, behaviour, before, with_body=with_body)

    def _give(self, key: str, behaviour: Behaviour, before: int, *, with_body: bool) -> None:
        version = final_version(key) if before else 0
        size, tag = int(key.split("/")[1]), etag(key, version)
        wanted = self.headers.get("If-Match", "").strip('"')
        if wanted and wanted != tag:
            self._refuse(412, "PreconditionFailed")
            return
        first, end, status = 0, size, 200
        if asked := self.headers.get("Range"):
            low, _, high = asked.removeprefix("bytes=").partition("-")
            first, end, status = int(low), min(size, int(high or size) + 1), 206
            if first >= size:
                self._refuse(416, "InvalidRange")
                return
        self.send_response(status)
        self.send_header("ETag", f'"{tag}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - first))
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{size}")
        self.end_headers()
        if with_body:
            with contextlib.suppress(OSError):
                self._body(key, version, (first, end), behaviour, before)

    def _body(
        self, key: str, version: int, span: tuple[int, int], behaviour: Behaviour, before: int
    ) -> None:
        once = before == 0
        spoilt = behaviour is Behaviour.WRONG or (behaviour is Behaviour.WRONG_ONCE and once)
        middle = sum(span) // 2
        for at, piece in pieces(key, version, span):
            sent = piece
            if spoilt:
                sent = bytes([piece[0] ^ 1]) + piece[1:]
                spoilt = False
            if once and at + len(piece) > middle:
                if behaviour is Behaviour.REPLACED:
                    # The rest comes from the new version, as from a careless cache.
                    (_, newer), *_ = pieces(key, 1, (at, at + len(piece)))
                    sent = piece[: middle - at] + newer[middle - at :]
                elif behaviour in BREAKS:
                    self._break(behaviour, piece[: middle - at] or piece[:60])
                    return
            self.wfile.write(sent)
        if once and behaviour is Behaviour.LONG:
            self.wfile.write(b"more than was announced" * 10)
            self.close_connection = True

    def _break(self, behaviour: Behaviour, piece: bytes) -> None:
        """Ends a body in the middle, after one more piece of it."""
        self.close_connection = True
        if behaviour is Behaviour.TRICKLE:
            for byte in piece[:60]:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(1)
            return
        self.wfile.write(piece)
        if behaviour is Behaviour.RESET:
            self._reset()

    def _refuse(self, status: int, code: str, *headers: tuple[str, str]) -> None:
        document = f"<Error><Code>{code}</Code><Message>as asked</Message></Error>".encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)

    def _reset(self) -> None:
        self.wfile.flush()
        time.sleep(0.05)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


if __name__ == "__main__":
    _Store(int(sys.argv[1])).serve_forever()
