"""PostgreSQL goes silent: it fails over and the old server swallows what it is sent, or freezes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.harness.arena import Arena, Trial
from tests.faults.harness.servers import Faulty
from tests.helpers.tcp_proxy import Condition
from tests.helpers.waiting import join

UNAVAILABLE_SECONDS = 10.0
"""For so long at most, requests are answered 503 once a server takes connections."""

ANSWER_SECONDS = 10.0
"""No request waits longer for its answer."""

THREADS = 8
LOOK_SECONDS = 14.0

Answer = tuple[float, float, int | None]
"""When a request was sent, when it was answered, and how."""


def failed_over(server: Faulty) -> None:
    """Kept connections lead nowhere; new ones reach the new primary, as behind a moved address."""
    server.proxy.strand()


def failed_over_slowly(server: Faulty) -> None:
    server.proxy.set_condition(Condition.SILENT)
    server.proxy.strand()
    time.sleep(5)
    server.proxy.set_condition(Condition.NORMAL)


def frozen(server: Faulty) -> None:
    go_on = server.freeze()
    try:
        time.sleep(15)
    finally:
        go_on()


FAULTS: dict[str, Callable[[Faulty], None]] = {
    "fails over in silence": failed_over,
    "fails over in silence, within 5 s": failed_over_slowly,
    "frozen, with many callers": frozen,
}


@contextmanager
def callers(trial: Trial, prefix: str) -> Iterator[list[Answer]]:
    """Send requests from several threads, each as soon as the one before is answered."""
    answers: list[Answer] = []
    ending = threading.Event()

    def call(thread: int) -> None:
        number = 0
        while not ending.wait(0.1):
            number += 1
            asked = trial.client.asked(f"plain/1000/{prefix}/{thread}-{number}")
            began = time.monotonic()
            status = trial.client.send(asked, seconds=0)
            answers.append((began, time.monotonic(), status))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ending.set()
        join(*threads, seconds=60)


@pytest.mark.faults
@pytest.mark.parametrize("fault", FAULTS)
def test_requests_are_accepted_soon_after_a_server_went_silent(fault: str, arena: Arena) -> None:
    with arena.trial(f"PostgreSQL {fault}") as trial:
        with callers(trial, fault.replace(" ", "-")) as answers:
            time.sleep(2)
            FAULTS[fault](arena.stack.servers.postgres)
            back = time.monotonic()
            time.sleep(LOOK_SECONDS)
        assert {status for _, _, status in answers} <= {201, 503}
        trial.recovery = max(max(ended for _, ended, status in answers if status == 503) - back, 0)
        assert trial.recovery < UNAVAILABLE_SECONDS
        assert max(ended - began for began, ended, _ in answers) < ANSWER_SECONDS
