"""The end of a process whose parent has died: nothing else would stop it, and it keeps the port."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

WATCH_SECONDS = 0.5


def end_with_parent(
    parent: int, grace_seconds: float, found: Callable[[], int] = os.getppid
) -> None:
    """Watch the parent in a separate thread, and end this process once the parent is gone.

    Args:
        parent: the process id that the parent has itself. `os.getppid` would return that of the
            process that adopts orphans if the parent died before this call.
        grace_seconds: how long what is in flight may take to finish.
        found: returns the current parent's process id, which changes when it dies.
    """

    def watch() -> None:
        # time.sleep raises where a clock that is set back makes its remaining time negative.
        never = threading.Event()
        while found() == parent:
            never.wait(WATCH_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        never.wait(grace_seconds)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
