"""How a process learns that it is to stop."""

from __future__ import annotations

import queue
import signal
from contextlib import suppress


class Stop:
    """A flag that a signal handler may set at any moment, and one thread may wait for.

    `threading.Event` is none: a handler runs between two instructions of the main thread, and if
    that thread is just inside `Event.wait`, `Event.set` waits for ever for a lock that the thread
    itself holds. `SimpleQueue.put` is made to interrupt itself (documentation of `queue`).
    """

    def __init__(self) -> None:
        self._told = False
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()

    @classmethod
    def on_signals(cls) -> Stop:
        """Gives a flag that SIGTERM and SIGINT set from now on; only for the main thread."""
        stop = cls()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        return stop

    def set(self) -> None:
        """Tells whoever waits, and whoever asks from now on."""
        self._told = True
        self._bell.put(None)

    def is_set(self) -> bool:
        """Tells whether it was set."""
        return self._told

    def wait(self, seconds: float) -> bool:
        """Waits until it is set, at most so long; tells whether it was."""
        if not self._told:
            with suppress(queue.Empty):
                self._bell.get(timeout=seconds)
        return self._told
