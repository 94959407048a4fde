"""A connection to a broker that is a test: it reads what it is fed, and what it sends is kept."""

from __future__ import annotations

from typing import Any, cast

import pika
from pika import spec
from pika.adapters.base_connection import _StreamingProtocolShim
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.frame import Method

CAPABILITIES = {"publisher_confirms": True, "basic.nack": True, "consumer_cancel_notify": True}


class Wire:
    """Stands for pika's transport."""

    def __init__(self) -> None:
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data

    def abort(self) -> None:
        raise AssertionError


class AmqpConnection:
    """A connection and the broker's end of it.

    Args:
        kind: the connection's class.
    """

    def __init__(self, kind: type[pika.SelectConnection]) -> None:
        self._loop = IOLoop()
        self.wire = Wire()
        node = pika.URLParameters("amqp://guest:guest@127.0.0.1:1/?heartbeat=0")
        self.connection: Any = kind(
            node, custom_ioloop=self._loop, internal_connection_workflow=False
        )
        self._end = cast("Any", _StreamingProtocolShim(self.connection))
        self._end.connection_made(self.wire)
        start = spec.Connection.Start(0, 9, {"capabilities": CAPABILITIES}, "PLAIN", "en_US")
        for method in (start, spec.Connection.Tune(9, 131_072, 0), spec.Connection.OpenOk()):
            self.say(0, method)

    def feed(self, data: bytes) -> None:
        """Let the connection read bytes, as one read of its socket."""
        self._end.data_received(data)

    def say(self, channel: int, method: Any) -> None:
        """Let it read a method of the broker."""
        self.feed(Method(channel, method).marshal())

    def channel(self, number: int) -> Channel:
        """Open a channel."""
        opened: Channel = self.connection.channel(number)
        self.say(number, spec.Channel.OpenOk())
        return opened

    def close(self) -> None:
        """Close what the loop holds."""
        self._loop.close()
