"""A publisher that writes content header frames of its own: whatever bytes a stranger may send."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from functools import cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from pika import spec
from pika.frame import Body, Method, decode_frame

HEADERS = 1 << 13
"""The flag of the property `headers`."""

FRAME_MAX = 131_072
CHANNEL = 1
SECONDS = 30.0
FRAME_OVERHEAD = 8


def table(*fields: bytes) -> bytes:
    """Return a table of fields that are encoded already."""
    return counted(b"".join(fields))


def field(name: bytes, value: bytes) -> bytes:
    """Return a field of a table: a short string and a value, whose first byte is its type."""
    return bytes([len(name)]) + name + value


def counted(data: bytes) -> bytes:
    """Return bytes after their number, as long strings, lists and tables have it."""
    return struct.pack(">I", len(data)) + data


def with_headers(*fields: bytes) -> bytes:
    """Return the properties of a message that has headers alone."""
    return struct.pack(">H", HEADERS) + table(*fields)


class RawPublisher:
    """A connection to RabbitMQ with one channel in confirm mode, opened again when it is closed.

    Args:
        url: of the broker.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._socket: socket.socket | None = None
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def publish(self, queue: str, properties: bytes, body: bytes = b"") -> bool:
        """Send a message and return whether the broker took it.

        Args:
            queue: its name.
            properties: the content header frame's payload from its flags on.
            body: sent in as many frames as it needs.
        """
        self._open()
        head = struct.pack(">HHQ", spec.Basic.INDEX, 0, len(body)) + properties
        frames = [
            Method(CHANNEL, spec.Basic.Publish(exchange="", routing_key=queue)).marshal(),
            struct.pack(">BHI", spec.FRAME_HEADER, CHANNEL, len(head)) + head + b"\xce",
        ]
        most = FRAME_MAX - FRAME_OVERHEAD
        starts = range(0, len(body), most)
        frames += [Body(CHANNEL, body[start : start + most]).marshal() for start in starts]
        try:
            self._send(*frames)
            reply = self._receive()
        except OSError:
            reply = None
        if isinstance(reply, spec.Basic.Ack):
            return True
        self._close()  # the broker has closed the channel or the connection
        return False

    def _open(self) -> None:
        if self._socket:
            return
        address = (self._url.hostname or "", self._url.port or 0)
        self._socket = socket.create_connection(address, SECONDS)
        self._buffer = b""
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._receive()
        login = f"\0{unquote(self._url.username or '')}\0{unquote(self._url.password or '')}"
        self._call(0, spec.Connection.StartOk({}, "PLAIN", login, "en_US"))
        self._send(Method(0, spec.Connection.TuneOk(CHANNEL, FRAME_MAX, 0)).marshal())
        self._call(0, spec.Connection.Open(unquote(self._url.path[1:])))
        self._call(CHANNEL, spec.Channel.Open())
        self._call(CHANNEL, spec.Confirm.Select())

    def _call(self, channel: int, method: Any) -> None:
        self._send(Method(channel, method).marshal())
        reply = self._receive()
        assert not isinstance(reply, spec.Connection.Close | spec.Channel.Close), reply

    def _send(self, *frames: bytes) -> None:
        assert self._socket
        self._socket.sendall(b"".join(frames))

    def _receive(self) -> Any:
        """Return the next method of the broker."""
        assert self._socket
        while True:
            size, found = decode_frame(self._buffer)
            if found is None:
                data = self._socket.recv(65_536)
                if not data:
                    raise ConnectionResetError
                self._buffer += data
                continue
            self._buffer = self._buffer[size:]
            if isinstance(found, Method):
                return found.method

    def _close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None


@cache
def shapes() -> Sequence[tuple[str, bytes]]:
    """Return properties that break readers of AMQP, each with its name."""
    milliseconds = struct.pack(">Q", 1_795_557_600_000)
    deep = b"V"
    for _ in range(3_000):
        deep = b"F" + table(b"\x00" + deep)
    lists = b"V"
    for _ in range(3_000):
        lists = b"A" + counted(lists)
    return (
        ("milliseconds", with_headers(field(b"at", b"T" + milliseconds))),
        ("the last time", with_headers(field(b"at", b"T" + b"\xff" * 8))),
        ("a time in a list", with_headers(field(b"l", b"A" + counted(b"T" + milliseconds)))),
        (
            "a time in a table",
            with_headers(field(b"t", b"F" + table(field(b"at", b"T" + milliseconds)))),
        ),
        ("a time as property", struct.pack(">H", 1 << 6) + b"\xff" * 8),
        ("deep tables", with_headers(field(b"deep", deep))),
        ("deep lists", with_headers(field(b"deep", lists))),
        ("many values", with_headers(*[field(b"", b"V")] * 60_000)),
        ("a long list", with_headers(field(b"l", b"A" + counted(b"t\x01" * 60_000)))),
        ("no UTF-8", with_headers(field(b"\xff\xfe", b"S" + counted(b"\xff\xfe")))),
        ("no UTF-8 in properties", struct.pack(">H", 1 << 15 | 1 << 7) + b"\x02\xff\xfe\x01\x80"),
        ("bytes", with_headers(field(b"x", b"x" + counted(bytes(range(256)))))),
        ("a long string", with_headers(field(b"s", b"S" + counted(b"s" * 130_000)))),
        ("equal names", with_headers(field(b"a", b"t\x01"), field(b"a", b"V"))),
        ("a huge decimal", with_headers(field(b"d", b"D\xff\x7f\xff\xff\xff"))),
        (
            "floats",
            with_headers(field(b"f", b"f\x7f\x7f\xff\xff"), field(b"d", b"d" + b"\x01" * 8)),
        ),
        (
            "every integer",
            with_headers(
                field(b"b", b"b\x80"),
                field(b"B", b"B\xff"),
                field(b"s", b"s\x80\x00"),
                field(b"u", b"u\xff\xff"),
                field(b"I", b"I\x80\x00\x00\x00"),
                field(b"i", b"i\xff\xff\xff\xff"),
                field(b"l", b"l\x80" + b"\x00" * 7),
            ),
        ),
        ("copies", with_headers(field(b"CC", b"A" + counted(b"S" + counted(b"elsewhere"))))),
        ("a name of 255 bytes", with_headers(field(b"n" * 255, b"S" + counted(b"v")))),
        ("encoding and type", struct.pack(">H", 1 << 14 | 1 << 5) + b"\x04gzip\x01t"),
    )
