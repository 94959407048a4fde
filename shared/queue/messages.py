"""The queue's message: it names a row of the ledger and carries no data of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from shared.errors import UnreadableMessage

REQUEST_ID = "request_id"
"""Header that ties a message to the request which was answered 201; for log lines only."""

FAULT = "x-fault"
"""Header that the local trigger adds to an event: what of the message could not be read. It makes
the message a dead letter, even if its body names a row."""

MAX_MESSAGE_BYTES = 256
"""Our bodies have under 30 bytes. What is much longer is not an id, and is not even parsed."""

MAX_ROW_ID = 2**63 - 1
"""The ledger's id is a `bigint`."""

_MAX_REQUEST_ID_LENGTH = 128
_MAX_UNSIGNED_BYTE = 255
_MIN_SIGNED_BYTE = -128

_OUR_BODY = re.compile(rb'\{"id": ([1-9][0-9]{0,17})\}')
"""A body as `SyncMessage.body` writes it, but for the largest ids. To parse it as JSON takes five
times as long."""


@dataclass(frozen=True, slots=True)
class SyncMessage:
    """Asks for one row to be copied.

    Attributes:
        row_id: id of the row, from 1 to `MAX_ROW_ID`.
        request_id: id of the request that recorded it; empty if the message has none.
    """

    row_id: int
    request_id: str = ""

    @property
    def body(self) -> bytes:
        """The message's body, a JSON object."""
        return b'{"id": %d}' % self.row_id

    @property
    def headers(self) -> dict[str, str]:
        """The message's headers."""
        return {REQUEST_ID: self.request_id} if self.request_id else {}

    @classmethod
    def decode(cls, body: bytes, headers: Mapping[str, object] | None = None) -> Self:
        """Read a message.

        Args:
            body: the bytes as they were published.
            headers: the message's headers; a string may be plain or, as AWS's event has it, an
                object `{"bytes": [...]}`. An unreadable header counts as absent, since only log
                lines depend on it.

        Raises:
            UnreadableMessage: the body names no row; the text has the reason.
        """
        return cls(_row_id(body), request_id_of(headers))


def request_id_of(headers: Mapping[str, object] | None) -> str:
    """Return the request id in a message's headers; empty if there is none."""
    return header_text((headers or {}).get(REQUEST_ID))[:_MAX_REQUEST_ID_LENGTH]


def header_text(value: object) -> str:
    """Return a header's value as text; empty if it is no text."""
    match value:
        case str():
            return value
        case bytes():
            return value.decode(errors="replace")
        case {"bytes": list() as numbers} if [*map(type, numbers)].count(int) == len(numbers):
            return _of_bytes(numbers)
        case _:
            return ""


def _of_bytes(numbers: list[int]) -> str:
    try:
        data = bytes(numbers)
    except ValueError:
        # The event source mapping is written in Java, where bytes are signed: 0xC3 may be -61.
        if min(numbers) < _MIN_SIGNED_BYTE or max(numbers) > _MAX_UNSIGNED_BYTE:
            return ""
        data = bytes(n & _MAX_UNSIGNED_BYTE for n in numbers)
    return data.decode(errors="replace")


def _row_id(body: bytes) -> int:
    if ours := _OUR_BODY.fullmatch(body):
        return int(ours[1])
    if len(body) > MAX_MESSAGE_BYTES:
        raise UnreadableMessage(f"{len(body)} bytes, more than {MAX_MESSAGE_BYTES}")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessage("not JSON") from error
    if not isinstance(document, dict) or "id" not in document:
        raise UnreadableMessage("no id")
    row_id = document["id"]
    if type(row_id) is not int:  # True and 1.0 equal 1 but name no row
        raise UnreadableMessage("the id is not a whole number")
    if not 1 <= row_id <= MAX_ROW_ID:
        raise UnreadableMessage("the id is out of range")
    return row_id
