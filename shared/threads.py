"""Threads that are noticed when they fail: started again after a back-off, and visible to health.

An exception ends a Python thread silently, and whatever waits for it waits forever. Every thread
that must live as long as its process is one of these; docs/architecture.md lists them, and why the
others need not be.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 60.0
"""A thread that has run this long counts as healthy, and its back-off starts over."""


class SupervisedThread(threading.Thread):
    """A daemon thread whose work is begun again when it raises, until it returns.

    Args:
        name: what the log and health call it.
        work: returns once the thread is to end.
        on_fault: called in the thread after `work` has raised: gives those who wait for it an
            error, and makes a new start possible.
        first_pause_seconds: before the first new start; doubled each time.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        on_fault: Callable[[BaseException], None] = lambda _: None,
        *,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._on_fault = on_fault
        self._first_pause_seconds = first_pause_seconds
        self._clock = clock
        self._stopping = threading.Event()
        self._failures = 0
        self._fault = ""
        self._failed_at = 0.0

    def run(self) -> None:
        """Work; see the class."""
        while True:
            # A stop while the work runs: if it fails, it gets one chance to close what it has open.
            is_last = self._stopping.is_set()
            began = self._clock()
            try:
                self._work()
            # Even SystemExit, which a library may raise: it would end this thread alone.
            except BaseException as error:  # noqa: BLE001
                if self._clock() - began > SETTLED_SECONDS:
                    self._failures = 0
                seconds = self._fail(error)
                if is_last:
                    return
                self._stopping.wait(seconds)
            else:
                return

    def stop(self) -> None:
        """Let the work be begun once more at most, if it raises; a pause ends at once."""
        self._stopping.set()

    def fault(self) -> str:
        """Return why the thread failed lately, in one line; empty if it is healthy."""
        healthy = not self._fault or self._clock() - self._failed_at > SETTLED_SECONDS
        return "" if healthy else self._fault

    def _fail(self, error: BaseException) -> float:
        self._failed_at = self._clock()
        self._fault = f"{type(error).__name__}: {error}"
        seconds = min(LONGEST_PAUSE_SECONDS, self._first_pause_seconds * 2.0**self._failures)
        self._failures = min(self._failures + 1, 30)
        extra = {"thread_name": self.name, "pause_seconds": seconds}
        logger.critical("thread failed, it is started again", extra=extra, exc_info=error)
        try:
            self._on_fault(error)
        except Exception:  # the thread goes on all the same
            logger.exception("fault after a thread's fault", extra=extra)
        return seconds


def thread_faults() -> Mapping[str, str]:
    """Return the supervised threads of this process that failed lately, each with the reason."""
    found = ((t.name, t.fault()) for t in threading.enumerate() if isinstance(t, SupervisedThread))
    return {name: fault for name, fault in found if fault}


def failed_threads() -> str:
    """Return `thread_faults` in one line, without the errors' texts; empty if there are none."""
    faults = thread_faults().items()
    return ", ".join(f"thread {name} failed ({fault.partition(':')[0]})" for name, fault in faults)
