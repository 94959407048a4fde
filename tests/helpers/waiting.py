"""Waiting for a condition instead of sleeping for luck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from shared.errors import Unavailable

PAUSE_SECONDS = 0.02


class Pinged(Protocol):
    """A server of ours, or what speaks to it."""

    def ping(self) -> None:
        """Returns when it answers."""


def answers(server: Pinged) -> Callable[[], bool]:
    """Gives the condition that a server answers."""

    def ask() -> bool:
        server.ping()
        return True

    return ask


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Returns as soon as a condition is true; a server that is unreachable makes it untrue.

    Raises:
        AssertionError: it was not in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except Unavailable:
            pass
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {seconds} seconds")
        time.sleep(PAUSE_SECONDS)


def join(*threads: threading.Thread, seconds: float = 60.0) -> None:
    """Returns when threads have ended.

    Raises:
        AssertionError: one did not in time.
    """
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        assert not thread.is_alive(), f"{thread.name} did not end"
