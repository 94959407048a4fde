"""Our background publisher against kombu and pika's BlockingConnection.

One message for each row, persistent, mandatory, into the same quorum queue. Every contender but
one waits for the broker's confirms: kombu without them shows what a message costs it at least.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import kombu
import kombu.pools
import pika

from bench.figure import Figure
from bench.libraries.ours import QUEUE, BackgroundPublisher, SyncMessage, publish
from bench.libraries.timing import in_turn
from bench.setting import Setting

MESSAGES = 1_000
"""In one run: the publisher's backlog holds ten times as many."""

THREADS = 8
REQUEST_ID = "6b1f0a6e-1f0e-4b52-9a43-3f6f0a8f9d11"
CLOSE_SECONDS = 5.0
CONFIRM_SECONDS = 30.0
_LOOK_SECONDS = 0.001
_PERSISTENT = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """What publishing came to.

    Attributes:
        rate: messages per second, until the last is confirmed.
        caller: µs for which one call holds up the thread that publishes.
        processor: µs of processor time for one message, of all threads.
    """

    rate: float
    caller: float
    processor: float


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare rate, the caller's wait, and processor time."""
    url = setting.stack.rabbitmq.url
    with ExitStack() as opened:
        costs = in_turn(
            setting,
            "publishing",
            {
                "ours": _background(url, opened),
                "kombu": _kombu(url, opened, confirm=True, threads=1),
                "pool": _kombu(url, opened, confirm=True, threads=THREADS),
                "unconfirmed": _kombu(url, opened, confirm=False, threads=1),
                "pika": _blocking(url, opened),
            },
        )
    setting.stack.empty_queue()
    ours = costs.pop("ours")
    words = {
        "kombu": "kombu, confirmed, one thread",
        "pool": f"kombu, confirmed, {THREADS} threads and connections",
        "unconfirmed": "kombu, without confirms",
        "pika": "pika's BlockingConnection, confirmed",
    }
    for name, reference in costs.items():
        rates, references = [cost.rate for cost in ours], [cost.rate for cost in reference]
        yield Figure("publishing", rates, "messages/s", None, references, words[name])
    for name, reference in costs.items():
        waits, references = [cost.caller for cost in ours], [cost.caller for cost in reference]
        yield Figure("publishing: the caller waits", waits, "µs", None, references, words[name])
    for name, reference in costs.items():
        spent, references = (
            [cost.processor for cost in ours],
            [cost.processor for cost in reference],
        )
        yield Figure("publishing: processor time", spent, "µs", None, references, words[name])


def _timed(send: Callable[[], float], wait: Callable[[], None]) -> Cost:
    """Time `send`, which returns the seconds that one call took, and what `wait` waits for."""
    before, spent = time.perf_counter(), time.process_time()
    caller = send()
    wait()
    taken, spent = time.perf_counter() - before, time.process_time() - spent
    return Cost(MESSAGES / taken, caller * 1e6, spent / MESSAGES * 1e6)


def _background(url: str, opened: ExitStack) -> Callable[[], Cost]:
    publisher = BackgroundPublisher(url)
    opened.callback(publisher.close, CLOSE_SECONDS)

    def send(number: int) -> float:
        before = time.perf_counter()
        for row_id in range(1, number + 1):
            publish(publisher, row_id, REQUEST_ID)
        return (time.perf_counter() - before) / number

    def confirmed() -> None:
        deadline = time.monotonic() + CONFIRM_SECONDS
        while (counts := publisher.counts()).confirmed < counts.published:
            if counts.lost or time.monotonic() > deadline:
                raise AssertionError(f"not every message was confirmed: {counts}")
            time.sleep(_LOOK_SECONDS)

    send(1)  # connects
    confirmed()
    return lambda: _timed(lambda: send(MESSAGES), confirmed)


def _kombu(url: str, opened: ExitStack, *, confirm: bool, threads: int) -> Callable[[], Cost]:
    options = {"confirm_publish": confirm}
    connection = opened.enter_context(kombu.Connection(url, transport_options=options))
    pools = kombu.pools.Producers(limit=threads)
    opened.callback(pools[connection].force_close_all)
    callers = opened.enter_context(ThreadPoolExecutor(threads))
    each = MESSAGES // threads

    def send(_: int = 0) -> float:
        before = time.perf_counter()
        for row_id in range(1, each + 1):
            message = SyncMessage(row_id, REQUEST_ID)
            with pools[connection].acquire(block=True) as producer:
                producer.publish(message.body, routing_key=QUEUE, **_properties(message))
        return (time.perf_counter() - before) / each

    def send_all() -> float:
        return sum(callers.map(send, range(threads))) / threads

    send_all()  # connects
    return lambda: _timed(send_all, lambda: None)


def _properties(message: SyncMessage) -> dict[str, Any]:
    return {
        "content_type": "application/json",
        "content_encoding": "binary",  # the body is ready: nothing is serialized
        "delivery_mode": _PERSISTENT,
        "headers": message.headers,
        "mandatory": True,
        "message_id": str(message.row_id),
        "timestamp": int(time.time()),
    }


def _blocking(url: str, opened: ExitStack) -> Callable[[], Cost]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    opened.callback(connection.close)
    channel = connection.channel()
    channel.confirm_delivery()

    def send() -> float:
        before = time.perf_counter()
        for row_id in range(1, MESSAGES + 1):
            message = SyncMessage(row_id, REQUEST_ID)
            properties = pika.BasicProperties(
                content_type="application/json",
                delivery_mode=_PERSISTENT,
                headers=message.headers,
                message_id=str(row_id),
                timestamp=int(time.time()),
            )
            channel.basic_publish("", QUEUE, message.body, properties, mandatory=True)
        return (time.perf_counter() - before) / MESSAGES

    send()
    return lambda: _timed(send, lambda: None)
