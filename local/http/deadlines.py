"""One time limit for many awaits of an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

_GRAIN = 0.1
"""How exactly a limit is kept, as a part of it."""


class Deadlines:
    """Time limits of blocks of code, each run by a task of one event loop.

    `asyncio.timeout` sets a timer for each block and cancels it again. Here one timer looks at the
    blocks that run, oldest first, so that a block costs an entry in a dictionary.

    Args:
        loop: the event loop of all of them.
        seconds: how long a block may take; it may get a tenth more.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        # In the order in which they began, as dictionaries keep it.
        self._began: dict[asyncio.Task[object], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def limit(self) -> Iterator[None]:
        """Cancel the block in the current task when its time is over.

        Raises:
            TimeoutError: the block took too long.
        """
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("only a task can be cancelled")
        self._began[task] = self._loop.time()
        if self._timer is None:
            self._watch()
        try:
            yield
        except asyncio.CancelledError:
            # Not by us, or by us and by another as well (asyncio, "Task cancellation").
            if task in self._began or task.uncancel():
                raise
            raise TimeoutError from None
        finally:
            self._began.pop(task, None)

    def _watch(self) -> None:
        self._timer = self._loop.call_later(self._seconds * _GRAIN, self._look)

    def _look(self) -> None:
        self._timer = None
        latest = self._loop.time() - self._seconds
        for task in [task for task, began in self._began.items() if began <= latest]:
            del self._began[task]
            task.cancel()
        if self._began:
            self._watch()
