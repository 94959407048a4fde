from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from shared.batching import GroupCommit
from tests.helpers.waiting import until

PATIENCE = 30.0


def squares(numbers: Sequence[int]) -> list[int]:
    return [number * number for number in numbers]


def two(_numbers: Sequence[int]) -> list[int]:
    return [1, 2]


class Groups:
    """Runs groups, each as soon as the test allows it."""

    def __init__(self, most: int = 100) -> None:
        self.begun: list[list[int]] = []
        self.errors: dict[int, Exception] = {}
        self._turns = threading.Semaphore(0)
        self._threads = ThreadPoolExecutor(32)
        self.combiner = GroupCommit(self._run, most)

    def ask(self, item: int) -> Future[int]:
        return self._threads.submit(self.combiner, item)

    def ask_while_busy(self, *items: int) -> list[Future[int]]:
        """Call with one item after the other while a group is running."""
        asked = []
        for item in items:
            asked.append(self.ask(item))
            until(lambda: self.combiner.waiting() == len(asked))
        return asked

    def let(self, groups: int = 1) -> None:
        self._turns.release(groups)

    def close(self) -> None:
        self.let(100)
        self._threads.shutdown()

    def _run(self, items: Sequence[int]) -> list[int]:
        self.begun.append(list(items))
        assert self._turns.acquire(timeout=PATIENCE)
        if items[0] in self.errors:
            raise self.errors[items[0]]
        return [-item for item in items]


@pytest.fixture
def groups() -> Groups:
    return Groups()


def test_a_single_call_runs_at_once() -> None:
    assert GroupCommit(squares, 10)(7) == 49


def test_calls_during_a_group_form_the_next_one(groups: Groups) -> None:
    first = groups.ask(1)
    until(lambda: groups.begun)
    later = groups.ask_while_busy(2, 3, 4)
    groups.let(2)
    assert first.result(PATIENCE) == -1
    assert [call.result(PATIENCE) for call in later] == [-2, -3, -4]
    assert groups.begun == [[1], [2, 3, 4]]
    groups.close()


def test_a_group_begins_after_every_call_in_it(groups: Groups) -> None:
    # What a group reads is then never older than the question.
    first = groups.ask(1)
    until(lambda: groups.begun)
    (second,) = groups.ask_while_busy(2)
    assert groups.begun == [[1]]
    groups.let(2)
    assert (first.result(PATIENCE), second.result(PATIENCE)) == (-1, -2)
    assert groups.begun == [[1], [2]]
    groups.close()


def test_a_group_has_no_more_items_than_it_may() -> None:
    groups = Groups(most=2)
    first = groups.ask(1)
    until(lambda: groups.begun)
    later = groups.ask_while_busy(2, 3, 4)
    groups.let(3)
    assert [call.result(PATIENCE) for call in [first, *later]] == [-1, -2, -3, -4]
    assert groups.begun == [[1], [2, 3], [4]]
    groups.close()


def test_an_error_is_raised_to_its_group_only(groups: Groups) -> None:
    groups.errors[2] = OSError("away")
    first = groups.ask(1)
    until(lambda: groups.begun)
    failing = groups.ask_while_busy(2, 3)
    groups.let()
    assert first.result(PATIENCE) == -1
    until(lambda: len(groups.begun) == 2)
    (last,) = groups.ask_while_busy(4)
    groups.let(2)
    for call in failing:
        with pytest.raises(OSError, match="away"):
            call.result(PATIENCE)
    assert last.result(PATIENCE) == -4
    groups.close()


def test_a_wrong_number_of_results_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        GroupCommit(two, 10)(1)


def test_many_threads_get_their_own_results() -> None:
    combiner = GroupCommit(squares, 7)
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(combiner, range(5_000))) == [n * n for n in range(5_000)]
