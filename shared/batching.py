"""Doing in one go what several threads ask for at the same time.

A statement and a commit cost PostgreSQL about the same for one row as for ten, a round trip costs
both sides the same whatever it carries. So nobody who asks while an earlier group is under way
goes by himself: all of them make the next group. There is no thread for it and no waiting for
company. Whoever finds nothing under way leads a group of one at once; when it is done, the first
of those who came meanwhile leads the rest. PostgreSQL shares its commits among backends in the
same way (documentation of `commit_delay`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Calls a function for the items of several threads at once.

    Args:
        run: gives one result for each item, in their order. What it raises is raised to all who
            are in the group, so it must only fail for a reason that concerns them all, such as a
            server that is away.
        most: items in a group at most.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Sequence[Result]], most: int) -> None:
        self._run = run
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[_Call[Item, Result]] = []
        self._busy = False

    def __call__(self, item: Item) -> Result:
        """Return the result for one item; the call began before its group's did."""
        call: _Call[Item, Result] = _Call(item)
        with self._lock:
            self._waiting.append(call)
            leads, self._busy = not self._busy, True
        if leads or call.wait():
            self._lead()
        return call.result()

    def waiting(self) -> int:
        """Return how many wait for the group under way to end."""
        return len(self._waiting)

    def _lead(self) -> None:
        with self._lock:
            group = self._waiting[: self._most]
            del self._waiting[: self._most]
        try:
            results = self._run([call.item for call in group])
            for call, result in list(zip(group, results, strict=True)):
                call.give(result)
        except BaseException as error:
            for call in group:
                call.fail(error)
            raise
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            if following:
                following.lead()


class _Call(Generic[Item, Result]):
    """One thread's item on its way."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._leads = False
        self._turn = threading.Lock()
        self._turn.acquire()

    def wait(self) -> bool:
        """Wait for the result, and return whether this call must lead a group to come by it."""
        self._turn.acquire()
        return self._leads

    def lead(self) -> None:
        self._leads = True
        self._turn.release()

    def give(self, result: Result) -> None:
        self._results.append(result)
        self._turn.release()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._turn.release()

    def result(self) -> Result:
        if self._error:
            raise self._error
        return self._results[0]
