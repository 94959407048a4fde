from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

from local.shutdown import StopFlag

PATIENCE = 60.0
"""Seconds that none of these tests takes when all is well."""

INTERRUPTED = """
import signal
from local.shutdown import StopFlag

signal.signal(signal.SIGALRM, lambda *_: current.set())
for number in range(3_000):
    current = StopFlag()
    signal.setitimer(signal.ITIMER_REAL, 0.000_05 + number % 100 * 0.000_001)
    while not current.wait(0):
        pass
"""
"""A process that is interrupted between any two instructions of its wait, again and again."""


def test_it_ends_a_wait() -> None:
    stop = StopFlag()
    thread = threading.Thread(target=stop.set)
    thread.start()
    assert stop.wait(PATIENCE)
    assert stop.is_set()
    thread.join()


def test_a_wait_ends_by_itself() -> None:
    stop = StopFlag()
    assert not stop.wait(0.001)
    assert not stop.is_set()


def test_once_set_nobody_waits_any_more() -> None:
    stop = StopFlag()
    stop.set()
    stop.set()
    before = time.monotonic()
    assert stop.wait(PATIENCE)
    assert stop.wait(PATIENCE)
    assert time.monotonic() - before < PATIENCE


def test_signals_set_it() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
        try:
            stop = StopFlag.on_signals()
            signal.raise_signal(number)
            assert stop.wait(PATIENCE)
        finally:
            for restored, handler in before.items():
                signal.signal(restored, handler)


def test_a_signal_at_any_moment_of_a_wait_ends_it() -> None:
    subprocess.run([sys.executable, "-c", INTERRUPTED], check=True, timeout=PATIENCE)
