"""One connection to RabbitMQ with one channel, on an I/O loop that the caller runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from shared.errors import QueueUnavailable, SettingError
from shared.queue.rabbitmq.failures import FAILURES, unavailable

HEARTBEAT = 30
"""Seconds of silence after which both sides hold a connection for dead."""

CONNECT_TIMEOUT = 5.0
"""Replies and confirms of a broker that works come within milliseconds."""

BLOCKED_TIMEOUT = 30.0
"""A broker short of memory or disk stops reading from publishers; waiting longer helps nobody."""

GOODBYE = 0.5
"""Seconds that closing in an orderly way may take; a broker that hangs must not hold up an exit."""

# pika logs a traceback or several lines for each try to connect. Every failure reaches our own
# code too, which says it in one line.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class LinkOwner(Protocol):
    """Who is told what becomes of a link."""

    def on_ready(self, channel: Channel) -> None:
        """The channel is open."""

    def on_lost(self, error: QueueUnavailable) -> None:
        """The link is gone, or never came to be. Told once for each link."""


def parameters(
    url: str, *, heartbeat: int = HEARTBEAT, timeout: float = CONNECT_TIMEOUT
) -> pika.URLParameters:
    """Read an AMQP URL.

    Args:
        url: as in `RABBITMQ_URL`.
        heartbeat: seconds, see `HEARTBEAT`.
        timeout: seconds that connecting may take.

    Raises:
        SettingError: it is not one.
    """
    try:
        found = pika.URLParameters(url)
        found.heartbeat = heartbeat
        found.socket_timeout = timeout
        found.stack_timeout = timeout
        found.blocked_connection_timeout = BLOCKED_TIMEOUT
        found.connection_attempts = 1
        found.client_properties = {"connection_name": "external-storage-sync"}
    except (ValueError, TypeError, AssertionError) as error:
        # pika's own text may quote the URL, and with it the password.
        raise SettingError("RABBITMQ_URL: expected amqp://user:password@host:port/vhost") from error
    return found


class _Connection(pika.SelectConnection):
    """A connection that can send many frames in one system call, and be closed at any time.

    pika calls `send` for each frame, three a message. Each call also gives up the interpreter
    lock, which the threads that answer requests then keep for a while. One call for all frames of
    64 messages took 15 µs a message instead of 28.
    """

    _held: list[bytes] | None = None

    def _on_connection_workflow_done(self, conn_or_exc: Any) -> None:
        # Closed while a broker does not answer its handshake, pika 1.4.4 passes the class of the
        # error instead of one, takes it for a connection and fails an assertion of its own.
        aborted = isinstance(conn_or_exc, type)
        super()._on_connection_workflow_done(conn_or_exc() if aborted else conn_or_exc)

    def _adapter_emit_data(self, data: bytes) -> None:
        if self._held is None:
            super()._adapter_emit_data(data)
        else:
            self._held.append(data)

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


class Link:
    """Connects at once; tells its owner when the channel is ready and when all is lost."""

    def __init__(self, url: pika.URLParameters, loop: IOLoop, owner: LinkOwner) -> None:
        self._owner: LinkOwner | None = owner
        self._reason: QueueUnavailable | None = None
        self._connection = _Connection(
            url,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_closed,
            on_close_callback=self._on_closed,
            custom_ioloop=loop,
        )

    def close(self) -> None:
        """Close the connection in an orderly way; the owner is told `on_lost` when it is done."""
        try:
            self._connection.close()
        except FAILURES as error:  # it was closing or closed already
            self._lose(unavailable(error))

    def one_write(self) -> Any:
        """Send everything that the block publishes in one piece."""
        return self._connection.one_write()

    def _on_open(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_channel_closed)
        if self._owner:
            self._owner.on_ready(channel)

    def _on_channel_closed(self, _channel: Channel, reason: Exception) -> None:
        # A channel closed by the broker says what was wrong; the connection has no use any more.
        if isinstance(reason, ChannelClosedByBroker) and self._reason is None:
            self._reason = unavailable(reason)
            self.close()

    def _on_closed(self, _connection: Any, reason: BaseException | str) -> None:
        self._lose(self._reason or unavailable(reason))

    def _lose(self, error: QueueUnavailable) -> None:
        owner, self._owner = self._owner, None
        if owner:
            owner.on_lost(error)
