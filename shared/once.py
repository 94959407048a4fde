"""Making something once a process, however many threads ask for it first."""

from __future__ import annotations

import threading
from functools import cache, update_wrapper
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - a decorator
    """Makes a function keep what it gave first; one that raises is called again next time.

    `functools.cache` alone lets every thread that comes before the first result make its own:
    in a server whose first requests come side by side, a service and a publisher for each thread.

    Args:
        make: the function.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._lock = threading.Lock()
        self._kept = cache(make)
        update_wrapper(self, make)

    def __call__(self) -> T:
        """Gives what there is, making it first where there is nothing yet."""
        with self._lock:
            return self._kept()

    def cache_clear(self) -> None:
        """Forgets what was made, as a new process would."""
        self._kept.cache_clear()
