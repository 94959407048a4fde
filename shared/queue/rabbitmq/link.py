"""One connection to RabbitMQ with one channel, on an I/O loop that the caller runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import AMQPHeartbeatTimeout, ChannelClosedByBroker

from shared.errors import QueueUnavailable
from shared.queue.rabbitmq.content_header import read_header_frame
from shared.queue.rabbitmq.deliveries import read_arrival
from shared.queue.rabbitmq.failures import FAILURES, unavailable

GOODBYE = 0.5
"""Seconds that closing in an orderly way may take; a broker that hangs must not delay an exit."""

SILENT_SECONDS = 7.5
"""Seconds without a byte after which a broker is presumed dead: two of its heartbeats are missing.
pika alone would take 5 s more than the heartbeat's interval, and twice that at worst."""

READ_BYTES = 32 * 1024
"""Bytes that one read takes at most, some 130 messages. With pika's 4 KiB it takes 16 and a part of
another, and each read also releases the interpreter lock."""

_LOOK_SECONDS = 0.5

# pika logs a traceback or several lines for each attempt to connect. Every failure reaches our own
# code too, which logs it in one line.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class LinkOwner(Protocol):
    """Is called when a link opens or is lost."""

    def on_ready(self, channel: Channel) -> None:
        """Use the channel, which is open."""

    def on_lost(self, error: QueueUnavailable) -> None:
        """Note that the link is lost or could not open; called once for each link."""


class _Connection(pika.SelectConnection):
    """A connection that no message ends, that can send many frames at once and be closed any time.

    pika calls `send` for each frame, three per message. Each call also releases the interpreter
    lock, which the threads that answer requests then hold for a while. One call for all frames of
    64 messages took 15 µs per message instead of 28.
    """

    _held: list[bytes] | None = None

    def _proto_connection_made(self, transport: Any) -> None:
        transport._MAX_RECV_BYTES = READ_BYTES
        super()._proto_connection_made(transport)

    def _on_data_available(self, data_in: bytes) -> None:
        # As pika's, but for the messages, of which most have come whole.
        self._frame_buffer += data_in
        while self._frame_buffer:
            self._hand_over_arrivals()
            consumed, frame = self._read_frame()
            if not frame:
                return
            self._trim_frame_buffer(consumed)
            self._process_frame(frame)

    def _hand_over_arrivals(self) -> None:
        """Hand the messages at the beginning of the buffer to their consumers, as pika would."""
        buffer, end = self._frame_buffer, 0
        try:
            while arrival := read_arrival(buffer, end):
                channel = self._channels.get(arrival.channel)
                consumer = _consumer_of(channel, arrival.method.consumer_tag)
                if consumer is None:
                    return  # what becomes of it, pika knows
                end = arrival.end
                self.frames_received += arrival.frames
                consumer(channel, arrival.method, arrival.properties, arrival.body)
        finally:
            self._trim_frame_buffer(end)

    def _read_frame(self) -> Any:
        # What pika raises while it decodes a message's properties ends the connection.
        return read_header_frame(self._frame_buffer) or super()._read_frame()

    def _on_connection_workflow_done(self, conn_or_exc: Any) -> None:
        # If closed while a broker does not answer the handshake, pika 1.4.4 passes the class of the
        # error instead of an instance, takes it for a connection and fails its own assertion.
        aborted = isinstance(conn_or_exc, type)
        super()._on_connection_workflow_done(conn_or_exc() if aborted else conn_or_exc)

    def _adapter_emit_data(self, data: bytes) -> None:
        if self._held is None:
            super()._adapter_emit_data(data)
        else:
            self._held.append(data)

    def abort(self, reason: str) -> None:
        """Close the socket, whatever state the connection is in."""
        if not self.is_closed:
            self._terminate_stream(AMQPHeartbeatTimeout(reason))

    def send_messages(self, messages: Sequence[bytes], frames: int) -> None:
        """Send messages of so many frames each, in one piece."""
        data = b"".join(messages)
        self.frames_sent += frames * len(messages)
        self.bytes_sent += len(data)
        self._adapter_emit_data(data)

    @contextmanager
    def one_write(self) -> Iterator[None]:
        """Send everything that the block emits at its end, in one piece."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held:
                super()._adapter_emit_data(b"".join(held))


def _consumer_of(channel: Channel | None, tag: str) -> Callable[..., object] | None:
    """Return who gets a message that has come whole, None if pika is to decide."""
    if channel is None or tag in channel._cancelled:
        return None
    begun = channel._content_assembler  # the frames of a message that has not come whole
    if begun._method_frame or begun._header_frame:
        return None
    return channel._consumers.get(tag)


class Link:
    """Connects at once; calls its owner when the channel is open and when the connection is lost.

    Args:
        node: of the broker, see `Nodes`.
        loop: the I/O loop, which the caller runs.
        owner: is called.
    """

    def __init__(self, node: pika.URLParameters, loop: IOLoop, owner: LinkOwner) -> None:
        self._owner: LinkOwner | None = owner
        self._reason: QueueUnavailable | None = None
        self._loop = loop
        self._connection = _Connection(
            node,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_closed,
            on_close_callback=self._on_closed,
            custom_ioloop=loop,
        )

    def close(self) -> None:
        """Close the connection in an orderly way; `on_lost` is called when it is closed."""
        try:
            self._connection.close()
        except FAILURES as error:  # it was closing or closed already
            self._lose(unavailable(error))

    def abort(self, reason: str) -> None:
        """End the connection without a word to a broker that says none; `on_lost` is called."""
        if self._reason is None:
            self._reason = unavailable(reason)
        self._connection.abort(reason)

    def abandon(self) -> None:
        """Close the connection without a call to the owner."""
        self._owner = None
        self.close()

    def one_write(self) -> Any:
        """Send everything that the block publishes in one piece."""
        return self._connection.one_write()

    def send_messages(self, messages: Sequence[bytes], frames: int) -> None:
        """Send messages that are encoded already, in one piece; the channel must be open.

        Args:
            messages: the frames of each.
            frames: how many each has.
        """
        self._connection.send_messages(messages, frames)

    def _on_open(self, connection: Any) -> None:
        if connection.params.heartbeat <= SILENT_SECONDS:
            self._watch(0, 0)
        connection.channel(on_open_callback=self._on_channel)

    def _watch(self, received: int, looks: int) -> None:
        """Look again and again whether the broker has sent anything since the last time.

        Looks are counted, not seconds: if this process was stopped meanwhile, what was sent to it
        is read before the next look.

        Args:
            received: bytes that had been received at the last look.
            looks: how many there have been since then.
        """
        if self._connection.is_closed or self._owner is None:
            return
        now = self._connection.bytes_received
        looks = looks + 1 if now == received else 0
        if looks >= SILENT_SECONDS / _LOOK_SECONDS:
            self.abort(f"not a byte within {SILENT_SECONDS:g} s")
        else:
            self._loop.call_later(_LOOK_SECONDS, lambda: self._watch(now, looks))

    def _on_channel(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_channel_closed)
        if self._owner:
            self._owner.on_ready(channel)

    def _on_channel_closed(self, _channel: Channel, reason: Exception) -> None:
        # The broker closes a channel with a reason; without its channel the connection is useless.
        if isinstance(reason, ChannelClosedByBroker) and self._reason is None:
            self._reason = unavailable(reason)
            self.close()

    def _on_closed(self, _connection: Any, reason: BaseException | str) -> None:
        self._lose(self._reason or unavailable(reason))

    def _lose(self, error: QueueUnavailable) -> None:
        owner, self._owner = self._owner, None
        if owner:
            owner.on_lost(error)
