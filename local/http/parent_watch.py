"""Ends a process whose parent has died: nobody would ever stop it, and it keeps the port."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

WATCH_SECONDS = 0.5


def end_with_parent(
    parent: int, grace_seconds: float, found: Callable[[], int] = os.getppid
) -> None:
    """Watches the parent from a thread of its own; once it is gone, this process ends.

    Args:
        parent: its process id, as it gave it itself. Asked for here, it would be whoever takes in
            orphans where the parent died before this.
        grace_seconds: what is in flight may take so long to finish.
        found: gives the parent's process id, which changes when it dies.
    """

    def watch() -> None:
        # time.sleep raises where a clock that is set back makes the rest of its time negative.
        never = threading.Event()
        while found() == parent:
            never.wait(WATCH_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        never.wait(grace_seconds)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
