"""Requests that came at the same time, answered together by as few threads as possible.

A thread for each of them would wait three times: for its job, for the counters and for the commit.
Each time it is woken it waits for the interpreter lock as well, behind all others that were woken.
Taken together, requests cost one thread's waits, see docs/decisions/0005-http-server.md.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from local.http.threads import Threads

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

AT_ONCE = 2
"""Threads at most: while one waits for a server, the other makes the next group ready."""

MOST = 64
"""Items that are taken together at most: the first of them waits until the last has its answer."""


class Gathered(Generic[Item]):
    """Items that wait for a thread, which takes all that wait.

    Args:
        threads: where they are run.
        run: does all the work for some items; an error is logged and not passed on.
    """

    def __init__(self, threads: Threads, run: Callable[[Sequence[Item]], None]) -> None:
        self._threads = threads
        self._run = run
        self._lock = threading.Lock()
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._running = 0

    def waiting(self) -> int:
        """Return how many items no thread has taken."""
        return len(self._waiting)

    def submit(self, item: Item) -> asyncio.Future[None]:
        """Have an item run soon, together with others; called on the event loop."""
        future = self._threads.future()
        with self._lock:
            self._waiting.append((item, future))
            starts = self._running < AT_ONCE
            self._running += starts
        if starts:
            self._threads.start(self._work)
        return future

    def _work(self) -> None:
        while taken := self._take():
            try:
                self._run([item for item, _ in taken])
            # SystemExit too: it would end this thread, and nothing would replace it.
            except BaseException:
                logger.exception("requests failed")
            self._threads.settle(future for _, future in taken)
            # Other jobs have their turn first.
            if self._threads.waiting() and self._threads.start(self._work):
                return

    def _take(self) -> list[tuple[Item, asyncio.Future[None]]]:
        with self._lock:
            taken = self._waiting[:MOST]
            del self._waiting[:MOST]
            if not taken:
                self._running -= 1
        return taken
