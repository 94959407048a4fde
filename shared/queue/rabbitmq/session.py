"""RabbitMQ for a caller that waits: every step ends within its time limit.

pika's own `BlockingConnection` has no limit on the wait for a publisher confirm, and sends one
message at a time. So this runs the same link as the background publisher, in the caller's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pika import spec
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from shared.deadline import within
from shared.errors import QueueUnavailable
from shared.queue.rabbitmq.confirms import Confirms
from shared.queue.rabbitmq.failures import translated, unavailable
from shared.queue.rabbitmq.link import GOODBYE, Link
from shared.queue.rabbitmq.nodes import Nodes
from shared.queue.rabbitmq.properties import Properties
from shared.queue.rabbitmq.topology import Publication

HEARTBEAT = 300
"""The session's loop runs only while a caller waits, so its connection is often silent for minutes,
or frozen with Lambda's execution environment. The broker drops it after twice as many seconds."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken from its queue and is not settled yet.

    Attributes:
        tag: the broker's number of the delivery.
        properties: of the message.
        body: of the message.
    """

    tag: int
    properties: Properties
    body: bytes


class Session:
    """A connection kept between uses, opened when needed, and opened again once if it was lost.

    Not safe for several threads at once.

    Args:
        url: of the broker. Where it names several nodes, each gets its share of the time: one that
            is silent is passed over, and the last one that worked is asked first.
        timeout: seconds for each use, connecting included; fewer where an invocation ends before.
        clock: a clock that never goes backwards.
    """

    def __init__(
        self, url: str, *, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # pika's own limit is later than ours: if both gave up at once, each would leave the socket
        # for the other to close.
        self._nodes = Nodes(url, heartbeat=HEARTBEAT, timeout=timeout + GOODBYE)
        self._timeout = timeout
        self._clock = clock
        self._loop: IOLoop | None = None
        self._link: Link | None = None
        self._channel: Channel | None = None
        self._error: QueueUnavailable | None = None
        self._confirms: Confirms[str] = Confirms()
        self._returned: set[str] = set()
        self._accepted: set[str] = set()
        self._got: list[Taken | None] = []
        self._ends = 0.0
        self._silent = False

    def publish(self, publications: Sequence[Publication]) -> set[str]:
        """Publish messages and wait for the broker to take charge of them.

        A message may be sent twice if the connection broke: messages must be idempotent.

        Returns:
            The message ids that are in a queue and confirmed. A missing one was refused, or there
            was no queue for it.

        Raises:
            QueueUnavailable: not all of them were settled in time.
        """
        confirmed: set[str] = self._with_retry(lambda: self._publish(publications))
        return confirmed

    def depth(self, queue: str) -> int:
        """Count the messages that wait in a queue.

        Raises:
            QueueUnavailable: the broker is unreachable or has no such queue.
        """
        return int(
            self.ask(lambda c, r: c.queue_declare(queue, passive=True, callback=r)).message_count
        )

    def ask(self, method: Callable[[Channel, Callable[[Any], None]], object]) -> Any:
        """Call one method of the channel that the broker replies to, and return the reply.

        Args:
            method: called with the channel and the callback for the reply.

        Raises:
            QueueUnavailable: the broker is unreachable or refused.
        """
        return self._with_retry(lambda: self._ask(method))

    def get(self, queue: str) -> Taken | None:
        """Take the first message of a queue; one that is not acknowledged is returned at the end.

        Raises:
            QueueUnavailable: the connection is lost, and with it every message that was taken.
        """
        taken: Taken | None = self._alone(lambda: self._get(queue))
        return taken

    def ack(self, taken: Taken, queue: str) -> None:
        """Remove a message that was taken, and return once that is done.

        Args:
            taken: the message.
            queue: that it was taken from.

        Raises:
            QueueUnavailable: the connection is lost; whether the message is, is unknown.
        """
        self._alone(lambda: self._ack(taken, queue))

    def product(self) -> str:
        """Return what the broker says it is, such as ``RabbitMQ 4.1.0``.

        Raises:
            QueueUnavailable: the broker is unreachable.
        """
        channel, _ = self._with_retry(self._open)
        found = getattr(channel.connection, "server_properties", None) or {}
        named = [found.get(name, b"?") for name in ("product", "version")]
        return " ".join(n.decode() if isinstance(n, bytes) else str(n) for n in named)

    def close(self) -> None:
        """Close the connection, if there is one; the next use opens another."""
        link, loop, self._link, self._channel = self._link, self._loop, None, None
        silent, self._silent = self._silent, False
        if link and loop:
            if self._error is None:
                loop.call_later(2 * GOODBYE, loop.stop)
                loop.call_later(0 if silent else GOODBYE, lambda: link.abort("no goodbye"))
                if not silent:
                    link.close()
                loop.start()
            loop.close()
        self._loop = None

    def on_ready(self, channel: Channel) -> None:
        """Ask for publisher confirms on the open channel."""
        channel.add_on_return_callback(self._on_returned)
        channel.add_callback(self._on_empty, [spec.Basic.GetEmpty], one_shot=False)
        channel.confirm_delivery(
            self._on_settled, callback=lambda _frame: self._on_confirming(channel)
        )

    def on_lost(self, error: QueueUnavailable) -> None:
        """Wake the waiting caller with the error."""
        self._error = error
        self._channel = None
        self._wake()

    def _alone(self, use: Callable[[], Any]) -> Any:
        """Use the connection once, without another if it is lost: what was taken is bound to it."""
        self._ends = self._clock() + within(self._timeout)
        try:
            with translated():
                return use()
        except BaseException:
            self._nodes.leave()
            self.close()
            raise

    def _get(self, queue: str) -> Taken | None:
        channel, _ = self._open()
        self._got.clear()
        channel.basic_get(queue, self._on_got)
        self._wait(lambda: bool(self._got))
        return self._got[0]

    def _ack(self, taken: Taken, queue: str) -> None:
        channel, _ = self._open()
        channel.basic_ack(taken.tag)
        # The broker answers in order: after this answer, the acknowledgement is dealt with.
        self._ask(lambda c, r: c.queue_declare(queue, passive=True, callback=r))

    def _with_retry(self, use: Callable[[], Any]) -> Any:
        try:
            return self._once_or_twice(use)
        except BaseException:  # whatever it is, the next use begins with a connection of its own
            self.close()
            raise

    def _once_or_twice(self, use: Callable[[], Any]) -> Any:
        kept = self._channel is not None
        others = len(self._nodes) > 1
        seconds = within(self._timeout)
        ends = self._clock() + seconds
        self._ends = ends - seconds / 2 if kept and others else ends
        try:
            with translated():
                return use()
        except QueueUnavailable:
            died = self._error is not None
            if kept:
                self._nodes.leave()
            self.close()
            # A new connection would do no better, nor would a slow broker, unless it is another's.
            if not kept or not (died or others):
                raise
        self._ends = ends
        with translated():
            return use()

    def _publish(self, publications: Sequence[Publication]) -> set[str]:
        channel, link = self._open()
        self._returned = set()
        self._accepted = set()
        with link.one_write():
            for publication in publications:
                publication.send(channel)
                self._confirms.sent(str(publication.properties.message_id))
        self._wait(lambda: not self._confirms)
        return self._accepted - self._returned

    def _ask(self, method: Callable[[Channel, Callable[[Any], None]], object]) -> Any:
        channel, _ = self._open()
        replies: list[Any] = []

        def on_reply(frame: Any) -> None:
            replies.append(frame.method)
            self._wake()

        method(channel, on_reply)
        self._wait(lambda: bool(replies))
        return replies[0]

    def _open(self) -> tuple[Channel, Link]:
        if self._channel is None or self._link is None:
            self._connect()
        if self._channel is None or self._link is None:
            raise self._error or unavailable("the connection was lost")
        return self._channel, self._link

    def _connect(self) -> None:
        """Connect to the first node that accepts it, each within its share of the time left."""
        errors: list[QueueUnavailable] = []
        for left in range(len(self._nodes), 0, -1):
            now = self._clock()
            try:
                self._connect_to_current(now + (self._ends - now) / left)
            except QueueUnavailable as error:
                self._nodes.leave()
                self.close()
                errors.append(error)
            else:
                return
        raise _together(errors)

    def _connect_to_current(self, ends: float) -> None:
        self._error = None
        self._loop = IOLoop()
        self._confirms = Confirms()
        with translated():
            self._link = Link(self._nodes.current, self._loop, self)
            self._wait(lambda: self._channel is not None, ends)

    def _wait(self, done: Callable[[], bool], ends: float | None = None) -> None:
        loop = self._loop
        if loop is None:
            raise unavailable("the connection was lost")
        began = self._clock()
        ends = self._ends if ends is None else ends
        deadline = loop.call_later(max(0.0, ends - began), loop.stop)
        while self._error is None and not done():
            if self._clock() >= ends:
                self._silent = True
                raise unavailable(f"no answer within {max(0.0, ends - began):.1f} s")
            loop.start()
        loop.remove_timeout(deadline)
        if self._error:
            raise self._error

    def _wake(self) -> None:
        if self._loop:
            self._loop.stop()

    def _on_confirming(self, channel: Channel) -> None:
        self._channel = channel
        self._wake()

    def _on_settled(self, frame: Any) -> None:
        method = frame.method
        settled = self._confirms.settle(method.delivery_tag, multiple=method.multiple)
        if method.NAME == "Basic.Ack":
            self._accepted.update(settled)
        self._wake()

    def _on_returned(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        self._returned.add(properties.message_id)

    def _on_got(self, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self._got.append(Taken(method.delivery_tag, properties, body))
        self._wake()

    def _on_empty(self, _frame: Any) -> None:
        self._got.append(None)
        self._wake()


def _together(errors: list[QueueUnavailable]) -> QueueUnavailable:
    """Return the error of several nodes, each reason once."""
    if len(errors) == 1:
        return errors[0]
    return unavailable("; ".join(dict.fromkeys(error.about for error in errors)))
