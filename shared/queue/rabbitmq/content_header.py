"""Content header frames: the properties of a message, read so that none of them can raise.

pika decodes them before any callback and closes the connection if that fails: a time in
milliseconds, or tables nested too deeply for Python, would be redelivered forever and stop
everything behind them. Here what cannot be read is left out and described, and the message is
delivered.

The frame is that of AMQP 0-9-1, sections 2.3.5.2 and 4.2.6.1; the types of field values are those
of RabbitMQ ("AMQP 0-9-1 Errata", section 3). Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pika.frame import Header
from pika.spec import FRAME_END, FRAME_HEADER, FRAME_HEADER_SIZE, BasicProperties

from shared.queue.rabbitmq.properties import Properties, present, read_usual

MAX_DEPTH = 32
"""Tables and lists in one another; a frame has room for some 20,000."""

MAX_VALUES = 1_000
"""Values that are read of one message, so that none takes longer than its neighbors notice."""

LAST_SECOND = 253_402_300_799
"""The end of the year 9999, where Python's calendar ends. A sender's milliseconds are later."""

_FRAME = struct.Struct(">BHI")  # type, channel, size of the payload
_HEAD = struct.Struct(">HHQ")  # class, weight, size of the body
_FLAGS = struct.Struct(">H")
_CONTINUED = 1
_SHORT = struct.Struct(">B")
_LONG = struct.Struct(">I")
_LONG_LONG = struct.Struct(">Q")
_DECIMAL = struct.Struct(">Bi")  # digits after the point, number
_SHOWN_NAME = 60

_NUMBERS = {
    ord(kind): struct.Struct(">" + code)
    for kind, code in (
        ("t", "?"),
        ("b", "b"),
        ("B", "B"),
        ("s", "h"),
        ("U", "h"),
        ("u", "H"),
        ("I", "i"),
        ("i", "I"),
        ("l", "q"),
        ("L", "q"),
        ("f", "f"),
        ("d", "d"),
    )
}
"""Field values that are one number."""


def read_header_frame(buffer: bytes) -> tuple[int, Header] | None:
    """Read the content header frame at the beginning of a buffer.

    Args:
        buffer: what has come from the broker so far, from the beginning of a frame.

    Returns:
        The frame's size in bytes and the frame, its `properties` a `Properties`; None if another
        kind of frame is there, or not all of this one.
    """
    if len(buffer) < FRAME_HEADER_SIZE + _HEAD.size + 1 or buffer[0] != FRAME_HEADER:
        return None
    _, channel, size = _FRAME.unpack_from(buffer)
    end = FRAME_HEADER_SIZE + size
    if size < _HEAD.size or len(buffer) <= end or buffer[end] != FRAME_END:
        return None
    class_id, _, body_size = _HEAD.unpack_from(buffer, FRAME_HEADER_SIZE)
    if class_id != BasicProperties.INDEX:
        return None
    properties = read_properties(buffer[FRAME_HEADER_SIZE + _HEAD.size : end])
    return end + 1, Header(channel, body_size, properties)


def read_properties(data: bytes) -> Properties:
    """Read the properties of a message, from their flags on; never raise."""
    return read_usual(data) or _read_any(data)


def _read_any(data: bytes) -> Properties:
    properties = Properties()
    reader = _Reader(data)
    try:
        for name in present(reader.flags()):
            setattr(properties, name, _READERS.get(name, _Reader.short_text)(reader))
        if reader.offset != len(data):
            reader.note("bytes after the last property")
    except _Malformed as error:
        reader.note(str(error))
    if reader.fault:
        properties.fault = reader.fault
    return properties


class _Malformed(Exception):
    """The rest of the table, or of the properties, cannot be told apart."""


class _Reader:
    """A position in the data, and the first thing that was wrong with it."""

    def __init__(self, data: bytes) -> None:
        self.fault = ""
        self.offset = 0
        self._data = data
        self._end = len(data)
        self._values = 0
        self._name = ""

    def note(self, fault: str) -> None:
        if not self.fault:
            self.fault = f"header {self._name[:_SHOWN_NAME]!a}: {fault}" if self._name else fault

    def flags(self) -> int:
        first: int = self._number(_FLAGS)
        flags = first
        while flags & _CONTINUED:  # of flags that no property of this class has
            flags = self._number(_FLAGS)
        return first

    def octet(self) -> Any:
        return self._number(_SHORT)

    def time(self) -> Any:
        return self._number(_LONG_LONG)

    def short_text(self) -> str:
        return self._bytes(self._number(_SHORT)).decode(errors="replace")

    def headers(self) -> dict[str, Any]:
        """Read the outermost table; what follows it can be read even if it is malformed."""
        size = self._number(_LONG)
        outer, self._end = self._end, self._checked(size)
        end, found = self._end, {}
        try:
            while self.offset < end:
                self._name = self.short_text()
                found[self._name] = self._value(MAX_DEPTH)
        except _Malformed as error:
            self.note(str(error))
        self._name = ""
        self.offset, self._end = end, outer
        return found

    def _value(self, depth: int) -> Any:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _Malformed(f"more than {MAX_VALUES} values")
        kind = self._number(_SHORT)
        if number := _NUMBERS.get(kind):
            return self._number(number)
        match chr(kind):
            case "S":
                data = self._bytes(self._number(_LONG))
                try:
                    return data.decode()
                except UnicodeDecodeError:
                    return data
            case "x":
                return self._bytes(self._number(_LONG))
            case "T":
                return self._moment()
            case "D":
                return self._decimal()
            case "V":
                return None
            case "A" | "F" as nested:
                return self._nested(nested, depth - 1)
        raise _Malformed(f"a value of the unknown type 0x{kind:02x}")

    def _nested(self, kind: str, depth: int) -> Any:
        size = self._number(_LONG)
        if depth <= 0:
            self.note(f"nested deeper than {MAX_DEPTH}")
            return self._bytes(size)
        outer, self._end = self._end, self._checked(size)
        end = self._end
        items: list[Any] = []
        table: dict[str, Any] = {}
        while self.offset < end:
            if kind == "A":
                items.append(self._value(depth))
            else:
                name = self.short_text()
                table[name] = self._value(depth)
        self._end = outer
        return items if kind == "A" else table

    def _moment(self) -> datetime | str:
        seconds = self._number(_LONG_LONG)
        if seconds <= LAST_SECOND:
            return datetime.fromtimestamp(seconds, UTC)
        self.note(f"a time after the year 9999 ({seconds} s)")
        return str(seconds)

    def _decimal(self) -> Decimal:
        end = self._checked(_DECIMAL.size)
        digits, number = _DECIMAL.unpack_from(self._data, self.offset)
        self.offset = end
        return Decimal(number).scaleb(-digits)

    def _number(self, kind: struct.Struct) -> Any:
        end = self._checked(kind.size)
        (found,) = kind.unpack_from(self._data, self.offset)
        self.offset = end
        return found

    def _bytes(self, size: int) -> bytes:
        end = self._checked(size)
        found = self._data[self.offset : end]
        self.offset = end
        return found

    def _checked(self, size: int) -> int:
        end = self.offset + size
        if end > self._end:
            raise _Malformed("it ends too early")
        return end


_READERS: dict[str, Callable[[_Reader], object]] = {
    "headers": _Reader.headers,
    "delivery_mode": _Reader.octet,
    "priority": _Reader.octet,
    "timestamp": _Reader.time,
}
"""Of the properties that are no short text."""
