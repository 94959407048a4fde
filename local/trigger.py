"""A local stand-in for RabbitMQ's event source mapping: `./sync trigger`.

Like Lambda's it gathers a batch, hands it to the worker as one `aws:rmq` event, one invocation at a
time, acknowledges it after success, and returns the whole batch to the queue after an error.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from local.context import EndingContext
from local.handlers import Handler, imported, prepare
from local.pulses import pulse
from local.storage_owner import require_own_storage
from local.template import load
from local.watchdog import end_after, watched
from shared import adapters
from shared.config.settings import needed
from shared.config.startup import start
from shared.errors import Unavailable
from shared.injection_points import CrashPoint, injection_point
from shared.pausing import names_at
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.backoff import backoff_seconds
from shared.queue.rabbitmq.consumer import Consumer, Tag
from shared.queue.rmq_event import Delivery, build

logger = logging.getLogger(__name__)

LATE_SECONDS = 3.0
"""A message usually arrives within milliseconds. One that takes so long is lost, or is with a node
of the broker or a trigger that does not work."""

FETCH_SECONDS = 2.0
"""Seconds between two looks for rows whose messages are late: with the above, what a trigger has
that does not work waits for 5 s at most. A look costs well under a millisecond."""

UNTAGGED = Tag(0, 0)
"""Of a row that no message delivered: before that of any connection, and settled on none."""

PREFETCH_BATCHES = 2
"""Batches in hand: while the worker has one, the next is there already."""

MOST_PREFETCH = 65_535
"""AMQP counts a prefetch in 16 bits."""

PULSE_SECONDS = 5.0
"""Seconds between two pulses of the event loop."""

_BACKOFF_FACTOR = 5
"""The back-off after a failed batch, as a multiple of the one before connecting again."""

_LONGEST_BACKOFF_SECONDS = 8.0
"""Once PostgreSQL is back, work is to go on within 10 s."""


class Trigger:
    """A consumer that gathers batches and hands them to the worker, until it is stopped.

    Args:
        url: of the broker.
        handler: the worker's handler, called with event and context in a thread of its own.
        batch_size: messages in one event at most.
        window_seconds: how long a batch that is not full waits for more.
        worker_seconds: how long one batch may take.
        prefetch: messages in hand at once; two batches when not given.
        fetch_late: returns rows whose messages are late, a batch at most; called in a thread of its
            own while the worker has nothing to do, connected or not.
        fetch_seconds: between two of these calls.
        chance: returns numbers evenly spread from 0 to 1.
        pulse: is called every `PULSE_SECONDS` while the consumer's thread does its work.
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
        fetch_late: Callable[[], Sequence[SyncMessage]] = tuple,
        fetch_seconds: float = FETCH_SECONDS,
        chance: Callable[[], float] = random.random,
        pulse: Callable[[], None] = lambda: None,
    ) -> None:
        prefetch = min(prefetch or PREFETCH_BATCHES * batch_size, MOST_PREFETCH)
        self._consumer = Consumer(url, self, prefetch=prefetch, chance=chance)
        self._handler = handler
        # More than the prefetch never waits here.
        self._batch_size = min(batch_size, prefetch)
        self._window_seconds = window_seconds
        self._worker_seconds = worker_seconds
        self._chance = chance
        self._pulse = pulse
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._fetch_late = fetch_late
        self._fetcher = ThreadPoolExecutor(1, thread_name_prefix="fetcher")
        self._fetch_seconds = fetch_seconds
        self._fetch_is_due = False
        self._is_fetching = False
        self._waiting: deque[tuple[Tag, Delivery]] = deque()
        self._is_busy = False
        self._backs_off = False
        self._due = False
        self._timed = False
        self._failures = 0
        self._ending = False  # known to the worker at once
        self._stopping = False

    def run(self) -> None:
        """Consume until `stop`."""
        self._consumer.call_soon(self._beat)
        self._consumer.call_later(self._fetch_seconds, self._on_fetch_due)
        self._consumer.run()
        self._thread.shutdown()

    def stop(self) -> None:
        """Let the worker break its batch off and return the other messages to the queue.

        Safe in a signal handler: waking the consumer takes a lock that the interrupted thread may
        hold, so a thread of its own does it.
        """
        self._ending = True
        threading.Thread(target=self._consumer.call_soon, args=(self._stop,)).start()

    # Everything below runs in the consumer's thread, but for `_work`.

    def _beat(self) -> None:
        self._pulse()
        self._consumer.call_later(PULSE_SECONDS, self._beat)

    def on_delivery(self, tag: Tag, delivery: Delivery) -> None:
        """Take a message; see `Receiver.on_delivery`."""
        if self._stopping:
            self._consumer.requeue(tag, multiple=False)
            return
        self._waiting.append((tag, delivery))
        if not self._timed:
            # With a window of 0 s, this still gathers the messages of one read.
            self._timed = True
            self._consumer.call_later(self._window_seconds, self._on_window_over)
        elif len(self._waiting) >= self._batch_size:
            self._begin()

    def on_reset(self) -> None:
        """Forget the messages of a lost connection; see `Receiver.on_reset`."""
        self._waiting = deque(taken for taken in self._waiting if taken[0] == UNTAGGED)
        self._due = False

    def _on_fetch_due(self) -> None:
        self._consumer.call_later(self._fetch_seconds, self._on_fetch_due)
        self._fetch_is_due = True
        self._fetch_if_idle()

    def _fetch_if_idle(self) -> None:
        """Have late rows fetched if that is due and the worker could begin with them at once.

        A worker that is busy finds such rows itself, and one that cannot work must not take them.
        """
        idle = not (self._is_busy or self._waiting or self._backs_off or self._stopping)
        if self._fetch_is_due and idle and not self._is_fetching:
            self._fetch_is_due = False
            self._is_fetching = True
            self._fetcher.submit(self._fetch)

    def _fetch(self) -> None:
        """Fetch them, in a thread of its own."""
        fetched: Sequence[SyncMessage] = ()
        try:
            with suppress(Unavailable):  # the ledger logs it, and the next look comes soon
                fetched = self._fetch_late()
        finally:
            self._consumer.call_soon(lambda: self._on_fetched(fetched))

    def _on_fetched(self, fetched: Sequence[SyncMessage]) -> None:
        self._is_fetching = False
        if fetched and not self._stopping:
            logger.info("rows fetched from the ledger", extra={"rows": len(fetched)})
            self._waiting.extend((UNTAGGED, Delivery.of(message)) for message in fetched)
            self._due = True
            self._begin()

    def _on_window_over(self) -> None:
        self._timed = False
        self._due = True
        self._begin()

    def _begin(self) -> None:
        """Hand over a batch, if there is one and the worker is free."""
        if self._is_busy or self._backs_off or self._stopping or not self._waiting:
            return
        if not self._due and len(self._waiting) < self._batch_size:
            return
        self._due = False
        count = min(len(self._waiting), self._batch_size)
        batch = [self._waiting.popleft() for _ in range(count)]
        event = build((delivery for _, delivery in batch), vhost=self._consumer.vhost)
        self._is_busy = True
        context = EndingContext(self._worker_seconds, lambda: self._ending)
        last = max(tag for tag, _ in batch)  # of those that have one
        future = self._thread.submit(self._handler, event, context)
        future.add_done_callback(
            lambda done: self._consumer.call_soon(lambda: self._on_done(done, last, count))
        )

    def _on_done(self, done: Future[object], last: Tag, count: int) -> None:
        self._is_busy = False
        error = done.exception()
        if error is None:
            self._failures = 0
            injection_point(CrashPoint.BEFORE_ACKNOWLEDGEMENT)
            if last != UNTAGGED:
                self._consumer.ack(last)
            logger.debug("batch done", extra={"messages": count})
        else:
            self._fail(error, last, count)
        if self._stopping:
            self._consumer.stop()
        elif self._waiting:
            # The window of the messages that waited for the batch is over.
            self._due = True
            self._begin()
        else:
            self._fetch_if_idle()

    def _fail(self, error: BaseException, last: Tag, count: int) -> None:
        self._consumer.requeue(last, multiple=True)
        seconds = backoff(self._failures, self._chance())
        self._failures += 1
        # Why a server is unreachable needs no traceback; a fault of this program does.
        logger.error(
            "batch failed, returned to the queue",
            extra={"reason": str(error), "messages": count, "pause_seconds": round(seconds, 1)},
            exc_info=None if isinstance(error, Unavailable) else error,
        )
        self._backs_off = True
        self._consumer.call_later(seconds, self._on_backoff_over)

    def _on_backoff_over(self) -> None:
        self._backs_off = False
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
        self._fetcher.shutdown(wait=False)
        if not self._is_busy:
            self._consumer.stop()


def backoff(failures: int, chance: float) -> float:
    """Return the seconds of back-off after a failed batch.

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
        chance: returns numbers evenly spread from 0 to 1.
    """
    return min(_LONGEST_BACKOFF_SECONDS, _BACKOFF_FACTOR * backoff_seconds(failures, chance))


def main(pulses: Path | None = None) -> None:
    """Run until SIGTERM or SIGINT; a second signal ends the process at once.

    Args:
        pulses: the folder for `local.pulses`, None for none.

    Raises:
        SettingError: a setting or the template is invalid.
        StorageForeign: the storage is not this installation's.
    """
    settings = start()
    require_own_storage(settings)
    template = load()
    # Before there is a consumer: another one that runs may have the messages meanwhile.
    prepare(template.worker)
    ledger = adapters.ledger(settings)
    trigger = Trigger(
        needed(settings.rabbitmq_url, "RABBITMQ_URL"),
        watched(imported(template.worker)),
        batch_size=template.batch_size,
        window_seconds=template.window_seconds,
        worker_seconds=template.worker_seconds,
        prefetch=settings.prefetch,
        fetch_late=partial(
            ledger.take_late,
            template.batch_size,
            late_seconds=LATE_SECONDS,
            delivery_seconds=settings.delivery_seconds,
            max_attempts=settings.max_attempts,
            paused_by=names_at(socket.gethostname()).values(),
        ),
        pulse=pulse(pulses, "trigger"),
    )
    stopping = False

    def on_signal(number: int, _frame: object) -> None:
        nonlocal stopping
        if stopping:
            os._exit(128 + number)
        stopping = True
        trigger.stop()
        end_after()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    logger.info("consuming", extra={"batch_size": template.batch_size})
    trigger.run()
    ledger.close()
