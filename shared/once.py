"""Making something once a process, however many threads ask for it first."""

from __future__ import annotations

import threading
from functools import cache, wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def once(make: Callable[[], T]) -> Callable[[], T]:
    """Makes a function keep what it gave first; one that raises is called again next time.

    `functools.cache` alone lets every thread that comes before the first result make its own:
    in a server whose first requests come side by side, a service and a publisher for each thread.
    """
    lock = threading.Lock()
    kept = cache(make)

    @wraps(make)
    def get() -> T:
        with lock:
            return kept()

    return get
