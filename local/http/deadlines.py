"""One time limit for many awaits of an event loop."""

from __future__ import annotations

import asyncio
from types import TracebackType

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

    def limit(self) -> _Limit:
        """Cancel the block in the current task when its time is over.

        Raises:
            TimeoutError: by the block, which took too long.
        """
        return _Limit(self)

    def begin(self) -> asyncio.Task[object]:
        """Begin the time of the current task, and return the task."""
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("only a task can be cancelled")
        self._began[task] = self._loop.time()
        if self._timer is None:
            self._watch()
        return task

    def end(self, task: asyncio.Task[object]) -> bool:
        """End the time of a task, and return whether it was not over."""
        return self._began.pop(task, None) is not None

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


class _Limit:
    """One block of code with a limit. `contextlib.contextmanager` takes twice as long for it."""

    __slots__ = ("_deadlines", "_task")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines

    def __enter__(self) -> None:
        self._task = self._deadlines.begin()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        in_time = self._deadlines.end(self._task)
        # Not by us, or by us and by another as well (asyncio, "Task cancellation").
        if kind is asyncio.CancelledError and not in_time and not self._task.uncancel():
            raise TimeoutError from None
