"""Group commit: coalescing what several threads ask for at the same time into one operation.

A statement and a commit cost PostgreSQL about the same for one row as for ten, and a round trip
costs both sides the same whatever it carries. So calls that come while a group is running do not
run by themselves: together they form the next group. This needs no thread of its own and no waiting
for more calls. A call that finds no group running leads a group of one at once; when that is done,
the first of the calls that came meanwhile leads the rest. PostgreSQL shares its commits among
backends in the same way (documentation of `commit_delay`).

An item that makes its group fail must not fail the others, see `in_parts`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from shared.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parts(
    run: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
) -> list[Result | Exception]:
    """Call a function for all items at once, and for ever smaller parts of them where it fails.

    Args:
        run: returns one result for each item, in their order. After an error it is run again with
            parts of what it was given, so it must have done nothing then, or be idempotent. Only an
            outage (`Unavailable`), which would meet each part again, is the error of all the rest.
        items: for which it is called.

    Returns:
        For each item its result, or the error that it failed with by itself.
    """
    outcomes: list[Result | Exception] = []
    parts = [items] if items else []
    while parts:
        part = parts.pop()
        try:
            outcomes += [result for _, result in zip(part, run(part), strict=True)]
        except Unavailable as error:
            outcomes += [error] * (len(items) - len(outcomes))
            return outcomes
        except Exception as error:  # the caller has it in the item's place  # noqa: BLE001
            if len(part) == 1:
                outcomes.append(error)
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
    return outcomes


class GroupCommit(Generic[Item, Result]):
    """Calls a function once for the items of several threads.

    Args:
        run: as of `in_parts`; a call raises the error of its item.
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

    def waiting(self) -> int:
        """Return how many calls wait for the running group to end."""
        return len(self._waiting)

    def _lead(self) -> None:
        with self._lock:
            group = self._waiting[: self._most]
            del self._waiting[: self._most]
        try:
            outcomes = in_parts(self._run, [call.item for call in group])
            for call, outcome in zip(group, outcomes, strict=True):
                call.settle(outcome)
        except BaseException as error:
            for call in group:
                call.settle(error)
            raise
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            if following:
                following.lead()


class _Call(Generic[Item, Result]):
    """One thread's item, and its result once there is one."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self._outcome: list[Result | BaseException] = []
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

    def settle(self, outcome: Result | BaseException) -> None:
        if not self._outcome:
            self._outcome.append(outcome)
            self._turn.release()

    def result(self) -> Result:
        [outcome] = self._outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome
