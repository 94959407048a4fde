"""The `aws:rmq` event: what an event source mapping of RabbitMQ passes to a function.

The shape is AWS's (Lambda developer guide, "Using Lambda with Amazon MQ", example RabbitMQ
event). The local trigger builds it and the worker reads it, so both ends are here. Pure.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from shared.errors import UnreadableMessage
from shared.queue.messages import FAULT, SyncMessage, header_text

LOCAL_ARN = "arn:aws:mq:local:000000000000:broker:sync:b-00000000-0000-0000-0000-000000000000"
"""A name in the form of AWS's; account and id are those of no broker."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOON = 12


class Delivery(NamedTuple):
    """One message as the broker delivered it; the fields are AMQP 0-9-1's basic properties.

    Attributes:
        timestamp: seconds since 1970.
        fault: what of the message could not be read, in a few words; empty if all was.
    """

    body: bytes
    fault: str = ""
    redelivered: bool = False
    headers: Mapping[str, object] | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    delivery_mode: int | None = None
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

    @classmethod
    def of(cls, message: SyncMessage, *, timestamp: int | None = None) -> Delivery:
        """Return the delivery of a message that never went through a broker."""
        return cls(
            body=message.body,
            headers=message.headers,
            content_type="application/json",
            delivery_mode=2,
            correlation_id=message.request_id or None,
            message_id=str(message.row_id),
            timestamp=timestamp,
        )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that cannot be read, or not wholly, kept for the dead-letter queue.

    Attributes:
        data: the body; if it is not base64, the text as it came.
        reason: why it names no row, or what of it could not be read, in a few words.
        headers: the message's headers as the event had them.
    """

    data: bytes
    reason: str
    headers: Mapping[str, object] = field(default_factory=dict)


def build(
    deliveries: Iterable[Delivery],
    *,
    queue: str = "sync",
    vhost: str = "/",
    arn: str = LOCAL_ARN,
) -> dict[str, Any]:
    """Return the event that passes a batch of deliveries to a function.

    Args:
        deliveries: the batch, in the queue's order.
        queue: name of the queue.
        vhost: the broker's virtual host that the queue is in.
        arn: what the event names as its source.

    Returns:
        The event, of JSON's types only. No content of a message makes this fail: a batch that
        could not be handed over would be redelivered forever.
    """
    return {
        "eventSource": "aws:rmq",
        "eventSourceArn": arn,
        "rmqMessagesByQueue": {f"{queue}::{vhost}": [_message(d) for d in deliveries]},
    }


def read(event: Mapping[str, Any]) -> Sequence[SyncMessage | Unreadable]:
    """Read the messages of an event, of all its queues, in order.

    A message whose body names a row, but of which something else could not be read, is both: the
    row is worked on, and the message is kept.

    Raises:
        UnreadableMessage: it is not an `aws:rmq` event.
    """
    queues = event.get("rmqMessagesByQueue")
    if not isinstance(queues, dict):
        raise UnreadableMessage("the event is not one of aws:rmq")
    found: list[SyncMessage | Unreadable] = []
    for messages in queues.values():
        for message in messages:
            _read(message, found)
    return found


def _read(message: Mapping[str, Any], found: list[SyncMessage | Unreadable]) -> None:
    text = message.get("data") or ""
    headers = dict((message.get("basicProperties") or {}).get("headers") or {})
    reasons = []
    if FAULT in headers and (fault := header_text(headers.pop(FAULT))):
        reasons.append(fault)
    data = str(text).encode(errors="replace")
    try:
        data = base64.b64decode(data, validate=True)
        found.append(SyncMessage.decode(data, headers))
    except binascii.Error:
        reasons.append("not base64")
    except UnreadableMessage as error:
        reasons.append(error.about)
    if reasons:
        found.append(Unreadable(data, "; ".join(reasons), headers))


def _message(delivery: Delivery) -> dict[str, Any]:
    try:
        headers = _headers(delivery)
    except Exception as error:  # noqa: BLE001 - see `build`
        headers = _headers(delivery._replace(headers=None, fault=f"headers: {error!r}"))
    return {
        "basicProperties": {
            "contentType": delivery.content_type,
            "contentEncoding": delivery.content_encoding,
            "headers": headers,
            "deliveryMode": delivery.delivery_mode,
            "priority": delivery.priority,
            "correlationId": delivery.correlation_id,
            "replyTo": delivery.reply_to,
            "expiration": delivery.expiration,
            "messageId": delivery.message_id,
            "timestamp": _timestamp(delivery.timestamp),
            "type": delivery.type,
            "userId": delivery.user_id,
            "appId": delivery.app_id,
            "clusterId": delivery.cluster_id,
            "bodySize": len(delivery.body),
        },
        "redelivered": delivery.redelivered,
        "data": base64.b64encode(delivery.body).decode(),
    }


def _headers(delivery: Delivery) -> dict[str, Any] | None:
    if delivery.headers is None and not delivery.fault:
        return None
    headers = {str(k): _plain(v) for k, v in (delivery.headers or {}).items()}
    headers.pop(FAULT, None)  # it is the trigger's alone
    if delivery.fault:
        headers[FAULT] = _plain(delivery.fault)
    return headers


def _plain(value: object) -> Any:
    """Return a header's value as the mapping shows it: a string as the object of its bytes."""
    match value:
        case str() | bytes():
            data = value.encode(errors="replace") if isinstance(value, str) else value
            return {"bytes": list(data)}
        case float() if not math.isfinite(value):  # JSON has no word for it
            return str(value)
        case dict():
            return {str(k): _plain(v) for k, v in value.items()}
        case list():
            return [_plain(v) for v in value]
        case None | bool() | int() | float():
            return value
        case datetime():
            return _java_date(int(value.replace(tzinfo=value.tzinfo or UTC).timestamp()))
        case _:
            return str(value)


def _timestamp(seconds: int | None) -> str | None:
    """Return a time as text; None if it is out of range, such as a sender's milliseconds.

    An event that could not be built could not be dead-lettered either, and would come forever.
    """
    try:
        return None if seconds is None else _java_date(seconds)
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=64)  # the messages of a batch were sent within a few seconds
def _java_date(seconds: int) -> str:
    """Return a time in Java's default format, in English whatever the locale here."""
    when = datetime.fromtimestamp(seconds, UTC)
    hour = when.hour % _NOON or _NOON
    half = "AM" if when.hour < _NOON else "PM"
    date = f"{_MONTHS[when.month - 1]} {when.day}, {when.year}"
    return f"{date}, {hour}:{when.minute:02}:{when.second:02} {half}"
