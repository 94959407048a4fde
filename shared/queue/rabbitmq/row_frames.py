"""The frames of a row's message, written at once: the same bytes as pika's, in a fifth of its time.

They are those of AMQP 0-9-1, sections 2.3.5 and 4.2.3 to 4.2.6. Pure.
"""

from __future__ import annotations

import struct
from functools import cache

from pika.frame import Method
from pika.spec import FRAME_BODY, FRAME_END, FRAME_HEADER, Basic, BasicProperties

from shared.queue.messages import REQUEST_ID, SyncMessage
from shared.queue.rabbitmq.topology import CONTENT_TYPE, PERSISTENT, QUEUE

FRAMES = 3
"""Frames of a message: method, header, body."""

_FRAME = struct.Struct(">BHI")  # type, channel, size
_HEAD = struct.Struct(">HHQH")  # class, weight, size of the body, flags
_LONG = struct.Struct(">I")
_TIME = struct.Struct(">Q")
_END = bytes([FRAME_END])

_FLAGS = (
    BasicProperties.FLAG_CONTENT_TYPE
    | BasicProperties.FLAG_HEADERS
    | BasicProperties.FLAG_DELIVERY_MODE
    | BasicProperties.FLAG_MESSAGE_ID
    | BasicProperties.FLAG_TIMESTAMP
)


def row_frames(channel: int, message: SyncMessage, now: int) -> bytes:
    """Return the frames that publish what `topology.publication` describes.

    Args:
        channel: number of the channel.
        message: the row's; its request id has at most 255 bytes.
        now: seconds since 1970.
    """
    flags, headers, correlation_id = _FLAGS, b"", b""
    if message.request_id:
        request_id = message.request_id.encode()
        flags |= BasicProperties.FLAG_CORRELATION_ID
        headers = _REQUEST_ID + _LONG.pack(len(request_id)) + request_id
        correlation_id = _short(request_id)
    body = message.body
    header = b"".join(
        (
            _HEAD.pack(BasicProperties.INDEX, 0, len(body), flags),
            _CONTENT_TYPE,
            _LONG.pack(len(headers)),
            headers,
            _DELIVERY_MODE,
            correlation_id,
            _short(b"%d" % message.row_id),
            _TIME.pack(now),
        )
    )
    return b"".join(
        (
            _publish(channel),
            _FRAME.pack(FRAME_HEADER, channel, len(header)),
            header,
            _END,
            _FRAME.pack(FRAME_BODY, channel, len(body)),
            body,
            _END,
        )
    )


@cache
def _publish(channel: int) -> bytes:
    """Return the method's frame; it is mandatory: without a queue, the broker returns it."""
    publish = Basic.Publish(exchange="", routing_key=QUEUE, mandatory=True)
    return Method(channel, publish).marshal()


def _short(text: bytes) -> bytes:
    return bytes((len(text),)) + text


_CONTENT_TYPE = _short(CONTENT_TYPE.encode())
_DELIVERY_MODE = bytes((PERSISTENT,))
_REQUEST_ID = _short(REQUEST_ID.encode()) + b"S"  # and the type of its value, a text
