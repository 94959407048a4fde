"""The queues, and the messages that are published to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pika
from pika.channel import Channel

from shared.queue.messages import SyncMessage, header_text

QUEUE = "sync"
"""One message for each object to copy."""

DEAD = "sync.dead"
"""Messages that name no row, each with the reason in its headers."""

REASON = "reason"
"""Header of a dead letter: why it is one."""

DELIVERY_LIMIT = 10_000
"""RabbitMQ 4 drops a message of a quorum queue after 20 redeliveries by default. A batch that finds
the database down is returned every 8 s at most, so 10,000 redeliveries take nearly a day; a message
that reaches the limit is dead-lettered, not dropped, and its row is published again."""

HEADER_BYTES = 64 * 1024
"""What is kept of a dead letter's headers. They are sent in one frame, of at most 128 KiB by
RabbitMQ's default; a message may fill it, and its dead letter has one header more."""

_OF_THE_BROKER = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count")
"""Headers that RabbitMQ adds to a message that it dead-letters or delivers again."""

PERSISTENT = 2
"""Delivery mode of our messages: they survive a restart of the broker."""

CONTENT_TYPE = "application/json"
"""Of a row's message."""

_LONGEST_NAME = 128
"""Bytes of a header's name; longer ones are not AMQP (0-9-1, section 4.2.5.5)."""

_ENTRY_BYTES = 9
"""Beside name and value, at most: the name's length, the value's type, its length or number."""

_ROUTING = frozenset({"CC", "BCC"})
"""Headers that RabbitMQ routes by ("Sender-selected Distribution"); it refuses other types of them,
and no dead letter is to be copied elsewhere."""


def arguments(queue: str, queue_type: str) -> dict[str, object]:
    """Return the arguments that a queue is declared with.

    Args:
        queue: `QUEUE` or `DEAD`.
        queue_type: `quorum` or `classic`.
    """
    found: dict[str, object] = {"x-queue-type": queue_type}
    if queue == QUEUE:
        # Through the default exchange, which routes by the queue's name: no exchange to maintain.
        found |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD}
        if queue_type == "quorum":
            found["x-delivery-limit"] = DELIVERY_LIMIT
    return found


@dataclass(frozen=True, slots=True)
class Publication:
    """A message that is ready to be sent.

    Attributes:
        key: the name of its queue; the default exchange routes by it.
        properties: with a `message_id`, which identifies a returned message.
    """

    key: str
    body: bytes
    properties: pika.BasicProperties

    def send(self, channel: Channel) -> None:
        """Publish it as mandatory: without a queue for it, the broker returns it."""
        channel.basic_publish("", self.key, self.body, self.properties, mandatory=True)


def publication(message: SyncMessage, now: float) -> Publication:
    """Return the message that names a row.

    Args:
        message: the row's.
        now: seconds since 1970.
    """
    properties = pika.BasicProperties(
        content_type=CONTENT_TYPE,
        delivery_mode=PERSISTENT,
        headers=message.headers,
        correlation_id=message.request_id or None,
        message_id=str(message.row_id),
        timestamp=int(now),
    )
    return Publication(QUEUE, message.body, properties)


def dead_letter(data: bytes, reason: str, headers: Mapping[str, object], now: float) -> Publication:
    """Return the dead letter of a message that names no row.

    Args:
        data: the body as it came.
        reason: why it is unreadable.
        headers: its headers; a value that is neither a string nor a whole number becomes text.
            What AMQP or the broker would refuse is renamed, shortened or left out: the dead letter
            of a message must never fail for what is in the message.
        now: seconds since 1970.
    """
    properties = pika.BasicProperties(
        delivery_mode=PERSISTENT,
        headers=_kept_headers(headers) | {REASON: _encodable(reason)},
        message_id=str(uuid4()),
        timestamp=int(now),
    )
    return Publication(DEAD, data, properties)


def moved(queue: str, body: bytes, properties: pika.BasicProperties) -> Publication:
    """Return a dead letter as it is published again.

    Args:
        queue: `QUEUE`, without what made it a dead letter, or `DEAD`, where all of it is kept.
        body: as it was.
        properties: as they were.
    """
    headers: Mapping[str, object] = properties.headers or {}
    if queue == QUEUE:
        headers = {
            name: value
            for name, value in headers.items()
            if name != REASON and not name.startswith(_OF_THE_BROKER)
        }
    again = pika.BasicProperties(
        content_type=properties.content_type,
        delivery_mode=PERSISTENT,
        headers=_kept_headers(headers),
        message_id=properties.message_id or str(uuid4()),
        timestamp=None if (sent := sent_at(properties)) is None else int(sent.timestamp()),
    )
    return Publication(queue, body, again)


def sent_at(properties: pika.BasicProperties) -> datetime | None:
    """Return when a message was sent (aware), None if unknown."""
    found: object = properties.timestamp
    if isinstance(found, datetime):  # what `content_header` makes of it
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.fromtimestamp(found, UTC) if isinstance(found, int) else None


def _kept_headers(headers: Mapping[str, object]) -> dict[str, str | int]:
    kept: dict[str, str | int] = {}
    room = HEADER_BYTES
    for name, value in headers.items():
        key = _encodable(name).encode()[:_LONGEST_NAME].decode(errors="ignore")
        if key in _ROUTING:
            key = f"x-{key}"
        found = _kept(value)
        room -= _ENTRY_BYTES + len(key.encode()) + len(str(found).encode())
        if room < 0:
            break
        kept[key] = found
    return kept


def _encodable(text: str) -> str:
    """Return text without halves of characters, which JSON may have and UTF-8 has not."""
    return text.encode(errors="replace").decode()


def _kept(value: object) -> str | int:
    """Return a header's value as pika can write it: no floats, and numbers of 64 bits only."""
    match value:
        case int() if -(2**63) <= value < 2**63:
            return value
        case int() | float():
            return str(value)
        case _:
            return _encodable(header_text(value))
