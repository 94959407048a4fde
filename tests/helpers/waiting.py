"""Waiting for a condition instead of sleeping for luck."""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from collections.abc import Callable
from typing import Protocol

from shared.errors import Unavailable

PAUSE_SECONDS = 0.02


class Pinged(Protocol):
    """A server of ours, or what speaks to it."""

    def ping(self) -> None:
        """Wait until it answers."""


def answers(server: Pinged) -> Callable[[], bool]:
    """Return the condition that a server answers."""

    def ask() -> bool:
        server.ping()
        return True

    return ask


class NotInTime(AssertionError):
    """A condition did not come true in time."""


def until(condition: Callable[[], object], what: str = "", seconds: float = 60.0) -> float:
    """Return as soon as a condition is true; a server that is unreachable makes it untrue.

    Args:
        condition: asked every `PAUSE_SECONDS`.
        what: what is waited for, as the error names it; without it, the condition's source.
        seconds: the limit.

    Returns:
        The seconds that it took.

    Raises:
        NotInTime: it was not true in time.
    """
    began = time.monotonic()
    while True:
        with contextlib.suppress(Unavailable):
            if condition():
                return time.monotonic() - began
        if time.monotonic() - began > seconds:
            raise NotInTime(f"waited {seconds:g} s for {what or _source(condition)}")
        time.sleep(PAUSE_SECONDS)


def _source(condition: Callable[[], object]) -> str:
    """Return the source of a function, or the name of anything else that can be called."""
    try:
        lines = inspect.getsource(condition).splitlines()
    except (OSError, TypeError):
        return repr(condition)
    return " ".join(line.strip() for line in lines)


def join(*threads: threading.Thread, seconds: float = 60.0) -> None:
    """Wait until threads have ended.

    Raises:
        AssertionError: one did not end in time.
    """
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        assert not thread.is_alive(), f"{thread.name} did not end"
