"""Messages that have arrived whole, read at once.

pika makes an object of each of a message's three frames, passes each through its callbacks, and
copies the rest of its buffer for each. The frames are those of AMQP 0-9-1, sections 2.3.5 and
4.2.3 to 4.2.6. Pure.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pika.spec import FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD, Basic, BasicProperties

from shared.queue.rabbitmq.content_header import read_properties
from shared.queue.rabbitmq.properties import Properties

_METHOD = struct.Struct(">BHIIB")  # type, channel, size; class and method, size of a consumer's tag
_DELIVERY = struct.Struct(">QBB")  # delivery's tag, whether redelivered, size of a name
_HEADER = struct.Struct(">BHIHHQ")  # type, channel, size; class, weight, size of the body
_FRAME = struct.Struct(">BHI")  # type, channel, size


class Arrival(NamedTuple):
    """A message that a consumer is to get.

    Attributes:
        channel: number of the channel.
        method: with the tags of consumer and delivery.
        properties: of the message.
        body: of the message.
        frames: how many frames it had.
        end: offset of what follows it in the buffer.
    """

    channel: int
    method: Basic.Deliver
    properties: Properties
    body: bytes
    frames: int
    end: int


def read_arrival(buffer: bytes, start: int) -> Arrival | None:
    """Read the message that is next in a buffer.

    Args:
        buffer: what has come from the broker.
        start: offset of a frame in it.

    Returns:
        The message; None if anything else is there: another kind of frame, a part of a message, a
        body in several frames, or what pika would not read or would read in another way.
    """
    try:
        kind, channel, size, method, length = _METHOD.unpack_from(buffer, start)
        if kind != FRAME_METHOD or method != Basic.Deliver.INDEX:
            return None
        end = start + _FRAME.size + size
        at = start + _METHOD.size + length
        consumer_tag = buffer[at - length : at].decode()
        delivery_tag, bits, length = _DELIVERY.unpack_from(buffer, at)
        at += _DELIVERY.size + length
        exchange = buffer[at - length : at].decode()
        length = buffer[at]
        at += 1 + length
        routing_key = buffer[at - length : at].decode()
        if at != end or buffer[end] != FRAME_END:
            return None

        start = end + 1
        kind, header_channel, size, class_id, _, body_size = _HEADER.unpack_from(buffer, start)
        at = start + _HEADER.size
        end = start + _FRAME.size + size
        if (kind, header_channel, class_id) != (FRAME_HEADER, channel, BasicProperties.INDEX):
            return None
        if end < at or buffer[end] != FRAME_END:
            return None
        properties = buffer[at:end]

        body = b""
        if body_size:
            start = end + 1
            at = start + _FRAME.size
            end = at + body_size
            if _FRAME.unpack_from(buffer, start) != (FRAME_BODY, channel, body_size):
                return None
            if buffer[end] != FRAME_END:
                return None
            body = buffer[at:end]
    except (struct.error, IndexError, UnicodeDecodeError):  # some of it has not come yet
        return None
    return Arrival(
        channel,
        Basic.Deliver(consumer_tag, delivery_tag, bool(bits & 1), exchange, routing_key),
        read_properties(properties),
        body,
        3 if body_size else 2,
        end + 1,
    )
