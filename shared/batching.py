"""Group commit: coalescing what several threads ask for at the same time into one operation.

A statement and a commit cost PostgreSQL about the same for one row as for ten, and a round trip
costs both sides the same whatever it carries. So calls that come while a group is running do not
run by themselves: together they form the next group. This needs no thread of its own and no waiting
for more calls. A call that finds no group running leads a group of one at once; when that is done,
the first of the calls that came meanwhile leads the rest. PostgreSQL shares its commits among
backends in the same way (documentation of `commit_delay`).

An item that makes its group fail must not fail the others: such a group is halved until the item is
alone. Only an outage, which would meet each half again, fails the whole group at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from shared.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Calls a function once for the items of several threads.

    Args:
        run: returns one result for each item, in their order. If it raises `Unavailable`, so does
            every call of the group. After any other error it is run again with parts of the group,
            so it must have done nothing then, or be idempotent.
        most: the largest number of items in a group.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Sequence[Result]], most: int) -> None:
        self._run = run
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[_Call[Item, Result]] = []
        self._busy = False

    def __call__(self, item: Item) -> Result:
        """Return the result for one item; the call began before its group was run."""
        call: _Call[Item, Result] = _Call(item)
        with self._lock:
            self._waiting.append(call)
            leads, self._busy = not self._busy, True
        if leads or call.wait():
            self._lead()
        return call.result()

    def all(self, items: Sequence[Item]) -> list[Result | Exception]:
        """Return for each of several items its result, or the error that it failed with."""
        calls: list[_Call[Item, Result]] = [_Call(item) for item in items]
        if not calls:
            return []
        with self._lock:
            self._waiting += calls
            leads, self._busy = not self._busy, True
        if leads:
            self._lead()
        for call in calls[leads:]:
            if call.wait():
                self._lead()
        return [call.outcome() for call in calls]

    def waiting(self) -> int:
        """Return how many calls wait for the running group to end."""
        return len(self._waiting)

    def _lead(self) -> None:
        with self._lock:
            group = self._waiting[: self._most]
            del self._waiting[: self._most]
        try:
            self._run_in_parts(group)
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

    def _run_in_parts(self, group: Sequence[_Call[Item, Result]]) -> None:
        """Run a group, in ever smaller parts if it fails; every call gets a result or an error."""
        parts = [group]
        while parts:
            part = parts.pop()
            try:
                results = self._run([call.item for call in part])
                for call, result in list(zip(part, results, strict=True)):
                    call.give(result)
            except Unavailable as error:
                for call in (*part, *(call for left in parts for call in left)):
                    call.fail(error)
                return
            except Exception as error:  # goes to the call of its item  # noqa: BLE001
                if len(part) == 1:
                    part[0].fail(error)
                else:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]


class _Call(Generic[Item, Result]):
    """One thread's item, and its result once there is one."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._leads = False
        self._turn = threading.Lock()
        self._turn.acquire()

    def wait(self) -> bool:
        """Wait, and return whether this call must lead a group to get its result."""
        self._turn.acquire()
        return self._leads

    def lead(self) -> None:
        self._leads = True
        self._turn.release()

    def give(self, result: Result) -> None:
        self._results.append(result)
        self._turn.release()

    def fail(self, error: BaseException) -> None:
        if not self._results and not self._error:
            self._error = error
            self._turn.release()

    def result(self) -> Result:
        if self._error:
            raise self._error
        return self._results[0]

    def outcome(self) -> Result | Exception:
        if isinstance(self._error, Exception):
            return self._error
        return self.result()
