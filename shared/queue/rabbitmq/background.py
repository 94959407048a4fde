"""The publisher of a local process: one connection in its own thread, confirms in flight."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from shared.errors import QueueUnavailable
from shared.injection_points import CrashPoint, injection_point
from shared.metrics import tally
from shared.metrics.catalog import MESSAGES_CONFIRMED, MESSAGES_LOST
from shared.queue.messages import SyncMessage
from shared.queue.publisher import Counts
from shared.queue.rabbitmq.confirms import Confirms
from shared.queue.rabbitmq.link import GOODBYE, Link
from shared.queue.rabbitmq.nodes import Nodes
from shared.queue.rabbitmq.row_frames import FRAMES, row_frames
from shared.threads import SupervisedThread

logger = logging.getLogger(__name__)

BACKLOG = 10_000
"""Messages waiting or unconfirmed, about 3 MB; beyond that, rows are left to requeue."""

PAUSE = 0.01
"""Seconds between two sends while messages keep coming. An idle publisher sends at once."""

HOLD = 30.0
"""Seconds that a message waits for a broker that is away: then requeue publishes its row, by the
default of DELIVERY_SECONDS."""

QUIET = 10.0
"""Seconds between two log lines about lost messages."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A message that is not confirmed yet.

    Attributes:
        message: of a committed row.
        since: when it was handed over (monotonic).
    """

    message: SyncMessage
    since: float


class BackgroundPublisher:
    """Sends all waiting messages together, again if the connection is lost before the confirm.

    While no node is reachable it holds them for `HOLD` seconds, and drops what is older or more
    than the backlog: requeue delivers those rows.

    Threads that publish only append to a deque. The publisher wakes up by itself every `pause`
    while there is traffic, so that a burst costs no wake-up for each message; the first message
    after a quiet time wakes it. Nothing connects before the first message, so that a process may
    fork. If the thread fails, it starts again with a new connection, and sends what waits.

    Args:
        url: of the broker; its nodes, if it names several, are tried in random order.
        backlog: messages that may wait or be in flight.
        pause: seconds, see `PAUSE`.
        hold: seconds, see `HOLD`.
        wall_clock: seconds since 1970, stamped on the messages.
    """

    def __init__(
        self,
        url: str,
        *,
        backlog: int = BACKLOG,
        pause: float = PAUSE,
        hold: float = HOLD,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._nodes = Nodes(url)
        self._backlog = backlog
        self._pause = pause
        self._hold = hold
        self._wall_clock = wall_clock
        self._waiting: deque[_Held] = deque()
        self._confirms: Confirms[_Held] = Confirms()
        self._loop: IOLoop  # created in the thread, and used there alone: it holds sockets
        self._call_soon: Callable[[Callable[[], None]], None] = lambda _: None
        self._thread: SupervisedThread | None = None
        self._starting = threading.Lock()
        self._counting = threading.Lock()
        self._asleep = False
        self._closing = False
        self._link: Link | None = None
        self._channel: Channel | None = None
        self._outage = False
        self._confirmed = 0
        self._tallied = 0
        self._lost: Counter[str] = Counter()
        self._logged_at = -QUIET

    def publish(self, row_id: int, request_id: str) -> None:
        """Hand a row's message to the thread; see `Publisher.publish`."""
        if self._closing:
            self._lose("closed", 1)
            return
        if len(self._waiting) >= self._backlog:
            self._lose("backlog full", 1)
            return
        self._waiting.append(_Held(SyncMessage(row_id, request_id), time.monotonic()))
        if self._asleep:
            self._asleep = False
            self._call_soon(self._flush)
        elif self._thread is None:
            self._start()

    def close(self, timeout: float) -> None:
        """Send what waits and end the thread; see `Publisher.close`."""
        closed, self._closing = self._closing, True
        self._end(timeout)
        counts = self.counts()
        if counts.published and not closed:
            logger.info("publisher closed", extra=counts.fields())

    def _end(self, timeout: float) -> None:
        with self._starting:
            thread = self._thread
        if thread is None or not thread.is_alive():
            return
        thread.stop()
        self._call_soon(self._finish)
        thread.join(timeout)
        if thread.is_alive():
            self._call_soon(self._stop)
            thread.join(1)

    def counts(self) -> Counts:
        """Return the counts so far; see `Publisher.counts`."""
        lost = dict(self._lost)
        pending = len(self._waiting) + len(self._confirms)
        return Counts(self._confirmed + sum(lost.values()) + pending, self._confirmed, lost)

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None or self._closing:
                return
            thread = SupervisedThread("publisher", self._run)
            try:
                thread.start()
            except RuntimeError:  # no further thread can be started; the next message tries again
                self._lose("no thread", self._forget())
            else:
                self._thread = thread

    # Everything below runs in the thread.

    def _run(self) -> None:
        self._loop = IOLoop()
        self._call_soon = self._loop.add_callback_threadsafe  # does no harm once it is closed
        try:
            self._connect()
            self._loop.start()
        except BaseException:
            self._give_up_connection()
            raise
        finally:
            self._loop.close()

    def _give_up_connection(self) -> None:
        """Leave what is in flight to requeue after an unexpected error; what waits is kept."""
        link, self._link, self._channel, self._asleep = self._link, None, None, False
        self._lose("publisher failed", len(self._confirms.drain()))
        if self._closing:
            self._lose("closed", self._forget())
        with suppress(Exception):  # the error that brought us here counts
            self._loop.call_later(GOODBYE, self._loop.stop)
            if link:
                link.abandon()
            self._loop.start()

    def _connect(self) -> None:
        if self._closing and not self._waiting:
            self._stop()
        else:
            self._link = Link(self._nodes.current, self._loop, self)

    def on_ready(self, channel: Channel) -> None:
        """Ask for publisher confirms on the open channel, then send what waits."""
        channel.add_on_return_callback(self._on_returned)
        channel.confirm_delivery(
            self._on_settled, callback=lambda _frame: self._on_confirming(channel)
        )

    def _on_confirming(self, channel: Channel) -> None:
        self._confirms = Confirms()
        self._channel = channel
        if self._outage:
            self._outage = False
            logger.info("RabbitMQ is reachable again", extra={"lost": dict(self._lost)})
        # Not from here: pika would treat an error in `_flush` as one of the connection.
        self._loop.call_later(0, self._flush)

    def on_lost(self, error: QueueUnavailable) -> None:
        """Send what was in flight again, by another node or after the back-off."""
        self._channel = None
        self._link = None
        self._asleep = False
        # Whether the broker has them is unknown; a message is idempotent.
        self._waiting.extendleft(reversed(self._confirms.drain()))
        if self._closing:
            self._lose("closed", self._forget())
            self._loop.stop()
            return
        self._lose("broker unreachable", self._forget(time.monotonic() - self._hold))
        if not self._outage:
            self._outage = True
            logger.warning("RabbitMQ is unreachable", extra={"reason": str(error)})
        self._loop.call_later(self._nodes.leave(), self._connect)

    def _forget(self, since: float = math.inf) -> int:
        """Drop what has waited since then, and return how much it was."""
        count = 0
        while self._waiting and self._waiting[0].since <= since:
            self._waiting.popleft()
            count += 1
        return count

    def _flush(self) -> None:
        """Send what waits, and again after each pause until there is nothing to send."""
        if self._channel is None or self._link is None:
            return
        if not self._channel.is_open:  # it is closing: `on_lost` comes next
            return
        count = min(len(self._waiting), self._backlog - len(self._confirms))
        if count:
            injection_point(CrashPoint.BEFORE_PUBLISH)
            self._link.send_messages(self._taken(count, self._channel.channel_number), FRAMES)
            injection_point(CrashPoint.AFTER_PUBLISH)
        if self._closing:
            self._finish_if_done()
        if count or self._waiting:
            self._loop.call_later(self._pause, self._flush)
            return
        self._asleep = True
        if self._waiting and self._asleep:  # appended between the check and the sleep
            self._asleep = False
            self._loop.call_later(0, self._flush)

    def _taken(self, count: int, channel: int) -> list[bytes]:
        """Take messages out of those that wait into flight, and return their frames."""
        now = int(self._wall_clock())
        frames = []
        for _ in range(count):
            held = self._waiting.popleft()
            self._confirms.sent(held)
            frames.append(row_frames(channel, held.message, now))
        return frames

    def _on_settled(self, frame: Any) -> None:
        settled = len(
            self._confirms.settle(frame.method.delivery_tag, multiple=frame.method.multiple)
        )
        if frame.method.NAME == "Basic.Ack":
            self._nodes.stay()
            self._confirmed += settled
            # A returned message takes one back before its own confirm: a counter only grows.
            if self._confirmed > self._tallied:
                tally.count(MESSAGES_CONFIRMED, by=self._confirmed - self._tallied)
                self._tallied = self._confirmed
        else:
            self._lose("nacked", settled)
        if self._closing:
            self._finish_if_done()

    def _on_returned(self, *_message: Any) -> None:
        # The broker confirms a message that it returns, right after returning it.
        self._confirmed -= 1
        self._lose("unroutable", 1)

    def _finish(self) -> None:
        self._flush()
        self._finish_if_done()
        if self._link is None:  # between two attempts to connect
            self._stop()

    def _finish_if_done(self) -> None:
        if self._channel and self._link and not self._waiting and not self._confirms:
            self._channel = None
            self._link.close()

    def _stop(self) -> None:
        self._lose("closed", len(self._confirms.drain()) + self._forget())
        link, self._link = self._link, None
        if link:
            self._loop.call_later(GOODBYE, self._loop.stop)
            link.close()
        else:
            self._loop.stop()

    def _lose(self, reason: str, count: int) -> None:
        if not count:
            return
        now = time.monotonic()
        tally.count(MESSAGES_LOST, reason.replace(" ", "_"), by=count)
        with self._counting:
            self._lost[reason] += count
            if self._outage or now - self._logged_at < QUIET:  # an outage has its own line
                return
            self._logged_at = now
        logger.warning("messages lost, requeue delivers", extra={"lost": dict(self._lost)})
