from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from shared.batching import GroupCommit, in_parts
from shared.errors import LedgerUnavailable
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


def test_an_outage_is_raised_to_its_group_only(groups: Groups) -> None:
    groups.errors[2] = LedgerUnavailable("away")
    first = groups.ask(1)
    until(lambda: groups.begun)
    failing = groups.ask_while_busy(2, 3)
    groups.let()
    assert first.result(PATIENCE) == -1
    until(lambda: len(groups.begun) == 2)
    (last,) = groups.ask_while_busy(4)
    groups.let(2)
    for call in failing:
        with pytest.raises(LedgerUnavailable, match="away"):
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


class Refusing:
    """Squares numbers, but refuses negative ones and is away for zero."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.runs.append(list(numbers))
        if 0 in numbers:
            raise LedgerUnavailable
        for number in numbers:
            if number < 0:
                raise ValueError(number)
        return squares(numbers)


def grouped(
    run: Callable[[Sequence[int]], list[int]], numbers: Sequence[int]
) -> list[int | BaseException]:
    """Run numbers as one group: they wait while a first group of 99 is held up."""
    held, go = threading.Event(), threading.Event()

    def slow(items: Sequence[int]) -> list[int]:
        if list(items) == [99]:
            held.set()
            assert go.wait(PATIENCE)
            return [0]
        return run(items)

    combiner = GroupCommit(slow, 100)
    with ThreadPoolExecutor(32) as threads:
        threads.submit(combiner, 99)
        assert held.wait(PATIENCE)
        calls = []
        for number in numbers:
            calls.append(threads.submit(combiner, number))
            until(lambda: combiner.waiting() == len(calls))
        go.set()
        return [call.exception(PATIENCE) or call.result() for call in calls]


@pytest.mark.parametrize("size", [2, 3, 8, 17])
def test_one_refused_item_fails_alone(size: int) -> None:
    for bad in range(size):
        run = Refusing()
        numbers = [-n if n == bad + 1 else n for n in range(1, size + 1)]
        results = grouped(run, numbers)
        assert isinstance(results.pop(bad), ValueError)
        assert results == [n * n for n in numbers if n > 0]
        assert len(run.runs) <= 2 * size.bit_length() + 1


def test_every_refused_item_gets_its_own_error() -> None:
    results = grouped(Refusing(), [-1, 2, -3, -4])
    assert [str(result) for result in results] == ["-1", "4", "-3", "-4"]


def test_an_outage_fails_the_group_in_one_go() -> None:
    run = Refusing()
    results = grouped(run, [1, 0, 2, 3])
    assert all(isinstance(result, LedgerUnavailable) for result in results)
    assert run.runs == [[1, 0, 2, 3]]


def test_an_outage_ends_the_search_for_the_refused_item() -> None:
    runs: list[list[int]] = []

    def run(numbers: Sequence[int]) -> list[int]:
        runs.append(list(numbers))
        raise ValueError if len(runs) == 1 else LedgerUnavailable

    results = grouped(run, [1, 2, 3, 4])
    assert all(isinstance(result, LedgerUnavailable) for result in results)
    assert runs == [[1, 2, 3, 4], [1, 2]]


def test_items_that_come_together_are_run_together() -> None:
    run = Refusing()
    results = in_parts(run, [1, -2, 3, -4])
    assert [str(result) for result in results] == ["1", "-2", "9", "-4"]
    assert isinstance(results[1], ValueError)
    assert run.runs[0] == [1, -2, 3, -4]
    assert in_parts(run, []) == []


def test_an_outage_in_a_part_is_the_error_of_all_that_are_left() -> None:
    runs: list[list[int]] = []

    def run(numbers: Sequence[int]) -> list[int]:
        runs.append(list(numbers))
        if len(numbers) == 4:
            raise ValueError
        if 3 in numbers:
            raise LedgerUnavailable
        return squares(numbers)

    results = in_parts(run, [1, 2, 3, 4])
    assert results[:2] == [1, 4]
    assert all(isinstance(result, LedgerUnavailable) for result in results[2:])
    assert runs == [[1, 2, 3, 4], [1, 2], [3, 4]]


def test_a_wrong_number_of_results_is_the_error_of_each() -> None:
    assert [type(result) for result in in_parts(two, [1])] == [ValueError]
