"""Ends a process whose function does not return, so that a supervisor starts it again.

On AWS the platform ends a function at its time limit. Here a thread that waits for a disk which
never answers would keep its process for good, and its messages with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from local.context import Context
from local.handlers import Handler
from shared.config.shutdown import end_process
from shared.threads import SupervisedThread

GRACE_SECONDS = 15.0
"""How long a function may take to return once no time is left, and a process to end."""

LOOK_SECONDS = 1.0


def watched(
    handler: Handler,
    grace_seconds: float = GRACE_SECONDS,
    end: Callable[[str], None] = end_process,
) -> Handler:
    """Return a handler whose process ends if a call does not return in time.

    Args:
        handler: called with an event and a context of this module's runtime.
        grace_seconds: how long a call may take once its context has no time left.
        end: is called with the reason, in a thread of its own.
    """

    def call(event: object, context: Context) -> object:
        returned = threading.Event()
        arguments = (context, returned, grace_seconds, end)
        SupervisedThread("watchdog", lambda: _watch(*arguments)).start()
        try:
            return handler(event, context)
        finally:
            returned.set()

    return call


def end_after(seconds: float = GRACE_SECONDS, end: Callable[[str], None] = end_process) -> None:
    """End this process if it still runs after so many seconds; a signal handler may call it."""

    def wait() -> None:
        time.sleep(seconds)
        end(f"it was to stop {seconds:g} s ago")

    SupervisedThread("watchdog of the end", wait).start()


def _watch(
    context: Context, returned: threading.Event, grace_seconds: float, end: Callable[[str], None]
) -> None:
    since: float | None = None
    while not returned.wait(min(LOOK_SECONDS, grace_seconds)):
        if context.get_remaining_time_in_millis() > 0:
            continue
        since = time.monotonic() if since is None else since
        if time.monotonic() - since > grace_seconds:
            end(f"a function did not return {grace_seconds:g} s after its time was over")
            return
