"""Receiving messages: one connection that comes back whenever it is lost."""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from shared.errors import QueueUnavailable
from shared.queue.rabbitmq.failures import FAILURES, reset_while_connecting, unavailable
from shared.queue.rabbitmq.link import GOODBYE, Link
from shared.queue.rabbitmq.nodes import Nodes
from shared.queue.rabbitmq.properties import Properties
from shared.queue.rabbitmq.topology import QUEUE
from shared.queue.rmq_event import Delivery

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""Bytes of a body that are kept. This service's have 30, and two batches of others must fit in
memory; an event source mapping of AWS drops those over 6 MB."""


class Tag(NamedTuple):
    """Names a delivery, for as long as its connection is open.

    Attributes:
        connection: counts the consumer's connections.
        number: the channel's delivery tag.
    """

    connection: int
    number: int


class Receiver(Protocol):
    """Receives the messages, in the consumer's thread."""

    def on_delivery(self, tag: Tag, delivery: Delivery) -> None:
        """Take a message."""

    def on_reset(self) -> None:
        """Forget every message not yet settled: the connection is lost, they are queued again."""


class Consumer:
    """Consumes the queue `sync`, on an event loop in the thread that calls `run`.

    No message can stop it: what of one cannot be read is described in its delivery. If something
    else does, again and again, the back-off grows until a message has been acknowledged.

    Every method but `call_soon` belongs to that thread.

    Args:
        url: of the broker; its nodes, if it names several, are tried in random order.
        receiver: gets the messages.
        prefetch: messages that may be handed over and not yet settled.
        chance: returns numbers from 0 to 1, evenly distributed.
    """

    def __init__(
        self,
        url: str,
        receiver: Receiver,
        *,
        prefetch: int,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._nodes = Nodes(url, chance=chance)
        self._receiver = receiver
        self._prefetch = prefetch
        self._loop = IOLoop()
        self._link: Link | None = None
        self._channel: Channel | None = None
        self._consumer_tag = ""
        self._connections = 0
        self._away = False
        self._cancelled = False
        self._stopping = False

    @property
    def vhost(self) -> str:
        """The broker's virtual host."""
        return self._nodes.vhost

    def run(self) -> None:
        """Consume until `stop`; connect again whenever the connection is lost."""
        self._connect()
        while not self._ran():
            pass
        self._loop.close()

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call something in the consumer's thread; the only method for other threads."""
        self._loop.add_callback_threadsafe(call)

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something after this many seconds."""
        self._loop.call_later(seconds, call)

    def ack(self, tag: Tag) -> None:
        """Acknowledge this message and all before it."""
        self._nodes.stay()
        self._settle(tag, lambda c: c.basic_ack(tag.number, multiple=True))

    def requeue(self, tag: Tag, *, multiple: bool) -> None:
        """Return this message to the queue, and with `multiple` all unsettled ones before it."""
        self._settle(tag, lambda c: c.basic_nack(tag.number, multiple=multiple, requeue=True))

    def cancel(self) -> None:
        """Ask the broker for no more messages; some may still arrive.

        From now on a lost connection is not opened again: nothing could be settled on it.
        """
        self._cancelled = True
        if self._channel:
            channel, consumer_tag = self._channel, self._consumer_tag
            self._guarded(lambda: channel.basic_cancel(consumer_tag))

    def stop(self) -> None:
        """Close the connection, which returns what is unsettled to the queue, and end `run`."""
        self._stopping = True
        self._channel = None
        if self._link:
            self._loop.call_later(GOODBYE, self._loop.stop)
            self._link.close()
        else:
            self._loop.stop()

    def on_ready(self, channel: Channel) -> None:
        """Set the prefetch on the open channel, then consume."""
        channel.add_on_cancel_callback(self._on_cancelled)
        channel.basic_qos(
            prefetch_count=self._prefetch,
            callback=lambda _: self._guarded(lambda: self._consume(channel)),
        )

    def on_lost(self, error: QueueUnavailable) -> None:
        """Log the first failure of an outage; connect to another node, or after the back-off."""
        self._channel = None
        self._link = None
        if self._stopping:
            self._loop.stop()
            return
        if not self._away:
            self._away = True
            logger.warning("RabbitMQ is unreachable", extra={"reason": str(error)})
        self._receiver.on_reset()
        if self._cancelled:
            return
        self._loop.call_later(self._nodes.leave(), self._connect)

    def _ran(self) -> bool:
        """Run the loop until it is stopped or an error comes out of it; return whether to end.

        An error would end this thread alone: a process that consumes nothing and does not end.
        """
        try:
            self._loop.start()
        except Exception as error:
            met = reset_while_connecting(error)
            if met is None:
                logger.exception("fault in the consumer, connecting again")
            if self._stopping:
                return self._link is None  # otherwise the loop has yet to close its socket
            if self._link:
                with contextlib.suppress(Exception):  # it may be in any state
                    self._link.abandon()
            self.on_lost(unavailable(met or error))
            return False
        return True

    def _connect(self) -> None:
        if self._link is None and not self._stopping and not self._cancelled:
            self._connections += 1
            self._link = Link(self._nodes.current, self._loop, self)

    def _consume(self, channel: Channel) -> None:
        if self._cancelled:  # while the channel opened
            return
        connection = self._connections

        def on_message(_: Channel, method: Any, properties: Any, body: bytes) -> None:
            delivery = delivery_of(body, properties, redelivered=bool(method.redelivered))
            self._receiver.on_delivery(Tag(connection, method.delivery_tag), delivery)

        self._channel = channel
        self._consumer_tag = channel.basic_consume(
            QUEUE, on_message, callback=lambda _: self._on_consuming()
        )

    def _on_consuming(self) -> None:
        if self._away:
            self._away = False
            logger.info("RabbitMQ is reachable again")

    def _on_cancelled(self, _frame: Any) -> None:
        # The queue was deleted, or its leader moved (RabbitMQ guide, "Consumer Cancellation
        # Notification"): a new connection finds out which.
        if self._link:
            self._link.close()

    def _settle(self, tag: Tag, how: Callable[[Channel], None]) -> None:
        channel = self._channel
        if channel and tag.connection == self._connections:
            self._guarded(lambda: how(channel))

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except FAILURES as error:  # the channel is closing: `on_lost` comes next
            logger.debug("channel is closing", extra={"reason": str(error)})


def delivery_of(body: bytes, properties: Properties, *, redelivered: bool) -> Delivery:
    """Return a message as events have it; its body is cut after `MAX_BODY_BYTES`."""
    delivery = Delivery(body, redelivered=redelivered, **vars(properties))
    if len(body) <= MAX_BODY_BYTES:
        return delivery
    fault = delivery.fault or f"{len(body)} bytes, of which {MAX_BODY_BYTES} are kept"
    return delivery._replace(body=body[:MAX_BODY_BYTES], fault=fault)
