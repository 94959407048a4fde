"""RabbitMQ's event source mapping, played locally: `./sync trigger`.

Like Lambda's mapping it gathers a batch, hands it to the worker as one `aws:rmq` event, one
invocation at a time, acknowledges after success, and gives the whole batch back after an error.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from local.context import Context
from local.handlers import Handler, imported
from local.template import load
from shared.config.settings import needed
from shared.config.startup import start
from shared.errors import Unavailable
from shared.injection_points import CrashPoint, injection_point
from shared.queue.rabbitmq.backoff import pause
from shared.queue.rabbitmq.consumer import Consumer, Tag
from shared.queue.rmq_event import Delivery, build

logger = logging.getLogger(__name__)

PREFETCH_BATCHES = 2
"""Batches in hand: while one is at work, the next is there already."""

MOST_PREFETCH = 65_535
"""AMQP counts a prefetch in 16 bits."""

_PATIENCE = 5
"""After a failed batch, this many times as long as before connecting again."""

_LONGEST_REST = 8.0
"""But no longer: once PostgreSQL is back, work is to go on within 10 s."""


class Trigger:
    """Gathers batches and has them worked on, until it is told to stop.

    Args:
        url: of the broker.
        handler: the worker's handler, called with event and context in a thread of its own.
        batch_size: messages in one event at most.
        window_seconds: how long a batch that is not full waits for more.
        worker_seconds: how long one batch may take.
        prefetch: messages in hand at once; two batches when not given.
        chance: evenly spread from 0 to 1.
    """

    def __init__(
        self,
        url: str,
        handler: Handler,
        *,
        batch_size: int,
        window_seconds: float,
        worker_seconds: float,
        prefetch: int = 0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        prefetch = min(prefetch or PREFETCH_BATCHES * batch_size, MOST_PREFETCH)
        self._consumer = Consumer(url, self, prefetch=prefetch, chance=chance)
        self._handler = handler
        # A prefetch below the batch size would be waited for in vain.
        self._batch_size = min(batch_size, prefetch)
        self._window_seconds = window_seconds
        self._worker_seconds = worker_seconds
        self._chance = chance
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._waiting: deque[tuple[Tag, Delivery]] = deque()
        self._at_work = False
        self._resting = False
        self._due = False
        self._timed = False
        self._failures = 0
        self._stopping = False

    def run(self) -> None:
        """Works until `stop`."""
        self._consumer.run()
        self._thread.shutdown()

    def stop(self) -> None:
        """Finishes the batch at work and gives back the rest.

        Safe in a signal handler: waking the consumer takes a lock, which the interrupted thread
        may hold just now, so a thread of its own does it.
        """
        threading.Thread(target=self._consumer.call_soon, args=(self._stop,)).start()

    # Everything below runs in the consumer's thread, but for `_work`.

    def on_delivery(self, tag: Tag, delivery: Delivery) -> None:
        """A message came; see `Receiver.on_delivery`."""
        if self._stopping:
            self._consumer.requeue(tag, multiple=False)
            return
        self._waiting.append((tag, delivery))
        if not self._timed:
            # With no window at all, this still gathers what came in one piece.
            self._timed = True
            self._consumer.call_later(self._window_seconds, self._on_window_over)
        elif len(self._waiting) >= self._batch_size:
            self._begin()

    def on_reset(self) -> None:
        """The connection is lost; see `Receiver.on_reset`."""
        self._waiting.clear()
        self._due = False

    def _on_window_over(self) -> None:
        self._timed = False
        self._due = True
        self._begin()

    def _begin(self) -> None:
        """Hands over a batch, if there is one and nobody is at work."""
        if self._at_work or self._resting or self._stopping or not self._waiting:
            return
        if not self._due and len(self._waiting) < self._batch_size:
            return
        self._due = False
        count = min(len(self._waiting), self._batch_size)
        batch = [self._waiting.popleft() for _ in range(count)]
        event = build((delivery for _, delivery in batch), vhost=self._consumer.vhost)
        self._at_work = True
        last = batch[-1][0]
        future = self._thread.submit(self._handler, event, Context(self._worker_seconds))
        future.add_done_callback(
            lambda done: self._consumer.call_soon(lambda: self._on_done(done, last, count))
        )

    def _on_done(self, done: Future[object], last: Tag, count: int) -> None:
        self._at_work = False
        error = done.exception()
        if error is None:
            self._failures = 0
            injection_point(CrashPoint.BEFORE_ACKNOWLEDGEMENT)
            self._consumer.ack(last)
            logger.debug("batch done", extra={"messages": count})
        else:
            self._fail(error, last, count)
        if self._stopping:
            self._consumer.stop()
        elif self._waiting:
            # What waited behind the batch has had its window.
            self._due = True
            self._begin()

    def _fail(self, error: BaseException, last: Tag, count: int) -> None:
        self._consumer.requeue(last, multiple=True)
        seconds = rest(self._failures, self._chance())
        self._failures += 1
        # Why a server is unreachable needs no traceback; a fault of this program does.
        logger.error(
            "batch failed, it goes back to the queue",
            extra={"reason": str(error), "messages": count, "pause_seconds": round(seconds, 1)},
            exc_info=None if isinstance(error, Unavailable) else error,
        )
        self._resting = True
        self._consumer.call_later(seconds, self._on_rested)

    def _on_rested(self) -> None:
        self._resting = False
        self._due = True
        self._begin()

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._consumer.cancel()
        for tag, _ in self._waiting:
            self._consumer.requeue(tag, multiple=False)
        self._waiting.clear()
        if not self._at_work:
            self._consumer.stop()


def rest(failures: int, chance: float) -> float:
    """Gives the seconds that the worker is left alone after a failed batch.

    ========  ============
    failures  seconds
    ========  ============
    0         0.5 to 1
    1         1 to 2
    3         4 to 8
    4 and up  8
    ========  ============

    Args:
        failures: batches that failed in a row before it.
        chance: evenly spread from 0 to 1.
    """
    return min(_LONGEST_REST, _PATIENCE * pause(failures, chance))


def main() -> None:
    """Runs until SIGTERM or SIGINT; a second signal ends the process at once.

    Raises:
        SettingError: a setting or the template is wrong.
    """
    settings = start(required=("RABBITMQ_URL", "DATABASE_URL", "STORAGE_PATH"))
    template = load()
    trigger = Trigger(
        needed(settings.rabbitmq_url, "RABBITMQ_URL"),
        imported(template.worker),
        batch_size=template.batch_size,
        window_seconds=template.window_seconds,
        worker_seconds=template.worker_seconds,
        prefetch=settings.prefetch,
    )
    told = False

    def on_signal(number: int, _frame: object) -> None:
        nonlocal told
        if told:
            os._exit(128 + number)
        told = True
        trigger.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    logger.info("consuming", extra={"batch_size": template.batch_size})
    trigger.run()
