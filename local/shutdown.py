"""How a process learns that it is to stop."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class StopFlag:
    """A flag that a signal handler may set at any moment, and that one thread may wait for.

    `threading.Event` will not do: a handler runs between two instructions of the main thread, and
    if that thread is inside `Event.wait`, `Event.set` waits forever for a lock that the thread
    itself holds. `SimpleQueue.put` may interrupt itself (documentation of `queue`).
    """

    def __init__(self) -> None:
        self._is_set = False
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()

    @classmethod
    def on_signals(cls) -> StopFlag:
        """Return a flag that SIGTERM and SIGINT set from now on; only for the main thread."""
        stop = cls()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        return stop

    def set(self) -> None:
        """Set the flag for good, and wake the thread that waits for it."""
        self._is_set = True
        self._wakeups.put(None)

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, for at most `seconds`.

        Returns:
            Whether it is set.
        """
        if not self._is_set:
            with suppress(queue.Empty):
                self._wakeups.get(timeout=seconds)
        return self._is_set


@contextmanager
def first_interrupt() -> Iterator[StopFlag]:
    """Yield a flag that the first Ctrl-C sets; the second one ends the process as ever."""
    stop = StopFlag()
    before = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
