"""A message's properties, and a reader for those that nearly every message has.

It takes half the time of the one in `content_header`, which reads what this one does not. Pure.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from pika.spec import BasicProperties

_FLAGS = struct.Struct(">H")
_LONG = struct.Struct(">I")
_LONG_LONG = struct.Struct(">Q")
_TEXT = struct.Struct(">BI")  # type of a header's value, size
_IS_TEXT = ord("S")
_CONTINUED = 1

_USUAL_TABLE = 2_000
"""Bytes of headers; more may be more values than are read of one message."""

_NUMBERS = {"delivery_mode": 1, "priority": 1, "timestamp": 8}
"""Properties that are no short text, but for the headers; with their sizes in bytes."""


class Properties(BasicProperties):
    """A message's properties; an instance has as its own only those that the message has.

    Attributes:
        fault: what could not be read, in a few words; empty if all was.
    """

    fault = ""
    content_type: str | None = None
    content_encoding: str | None = None
    headers: dict[str, Any] | None = None
    delivery_mode: int | None = None  # type: ignore[assignment] # pika's is None as well
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: str | None = None
    message_id: str | None = None
    timestamp: int | None = None
    type: str | None = None
    user_id: str | None = None
    app_id: str | None = None
    cluster_id: str | None = None

    def __init__(self) -> None:
        pass  # pika's sets each of them


NAMES = (
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
)
"""In the order of their flags, from the highest bit down."""


@lru_cache(maxsize=64)  # most messages of a queue have the same
def present(flags: int) -> tuple[str, ...]:
    """Return the names of the properties that a message has."""
    return tuple(name for bit, name in enumerate(NAMES) if flags & (1 << (15 - bit)))


def read_usual(data: bytes) -> Properties | None:
    """Read the properties of a message whose headers are texts; None if anything is unusual.

    Args:
        data: from the flags on.
    """
    properties = Properties()
    found = vars(properties)
    try:
        (flags,) = _FLAGS.unpack_from(data)
        if flags & _CONTINUED:
            return None
        at = _FLAGS.size
        for name in present(flags):
            if name == "headers":
                (size,) = _LONG.unpack_from(data, at)
                at += _LONG.size + size
                found[name] = _texts(data, at - size, at)
            elif size := _NUMBERS.get(name, 0):
                found[name] = data[at] if size == 1 else _LONG_LONG.unpack_from(data, at)[0]
                at += size
            else:
                size = data[at]
                at += 1 + size
                found[name] = data[at - size : at].decode()
    except (struct.error, IndexError, ValueError):
        return None
    return properties if at == len(data) else None


def _texts(data: bytes, at: int, end: int) -> dict[str, str]:
    """Read a table of texts.

    Raises:
        ValueError: it is unusual.
    """
    if end - at > _USUAL_TABLE:
        raise ValueError
    found = {}
    while at < end:
        size = data[at]
        at += 1 + size
        name = data[at - size : at].decode()
        kind, size = _TEXT.unpack_from(data, at)
        if kind != _IS_TEXT:
            raise ValueError
        at += _TEXT.size + size
        found[name] = data[at - size : at].decode()
    if at != end:
        raise ValueError
    return found
