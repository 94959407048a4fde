"""Values that are created once per process, however many threads ask for them first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import TypeVar

T = TypeVar("T")

_kept: list[Callable[[], None]] = []
"""How to forget each of the values."""


def once_per_process(make: Callable[[], T]) -> Callable[[], T]:
    """Decorate a function so that it keeps its first result; one that raises is called again.

    `functools.cache` alone lets every thread that calls before the first result create its own: in
    a server whose first requests are concurrent, a service and a publisher for each thread.

    Args:
        make: the function.
    """
    lock = threading.Lock()
    kept = cache(make)
    _kept.append(kept.cache_clear)

    @wraps(make)
    def cached() -> T:
        with lock:
            return kept()

    return cached


def forget_all() -> None:
    """Have every value created anew by its next call."""
    for forget in _kept:
        forget()
