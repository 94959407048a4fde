"""Ends a process whose parent has died: nobody would ever stop it, and it keeps the port."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WATCH_SECONDS = 0.5


def end_with_parent(grace_seconds: float, parent: Callable[[], int] = os.getppid) -> None:
    """Watches the parent from a thread of its own; once it is gone, this process ends.

    Args:
        grace_seconds: what is in flight may take so long to finish.
        parent: gives the parent's process id, which changes when it dies.
    """
    first = parent()

    def watch() -> None:
        while parent() == first:
            time.sleep(WATCH_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_seconds)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
