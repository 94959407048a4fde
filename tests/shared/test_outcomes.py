from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.errors import LedgerUnavailable
from shared.outcomes import each, in_parts, only, together

BROKEN = ValueError("of an earlier step")


def inverse(number: int) -> float:
    return 1 / number


def inverses(numbers: Sequence[int]) -> list[float]:
    return [1 / number for number in numbers]


def test_an_item_that_fails_leaves_the_others_their_results() -> None:
    first, second, third = each(inverse, [1, 0, 2])
    assert (first, third) == (1, 0.5)
    assert isinstance(second, ZeroDivisionError)


def test_an_earlier_error_stays_in_its_place() -> None:
    mixed: list[int | Exception] = [2, BROKEN, 4]
    assert each(inverse, mixed) == [0.5, BROKEN, 0.25]
    assert together(inverses, mixed) == [0.5, BROKEN, 0.25]
    failed: list[int | Exception] = [BROKEN]
    assert together(inverses, failed) == [BROKEN]
    assert together(inverses, []) == []


def test_what_a_joint_step_raises_is_the_error_of_all() -> None:
    mixed: list[int | Exception] = [1, BROKEN, 0]
    first, second, third = together(inverses, mixed)
    assert isinstance(first, ZeroDivisionError)
    assert (second, third) == (BROKEN, first)


def squares(numbers: Sequence[int]) -> list[int]:
    return [number * number for number in numbers]


def two(_numbers: Sequence[int]) -> list[int]:
    return [1, 2]


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


@pytest.mark.parametrize("size", [2, 3, 8, 17])
def test_one_refused_item_fails_alone(size: int) -> None:
    for bad in range(size):
        run = Refusing()
        numbers = [-n if n == bad + 1 else n for n in range(1, size + 1)]
        results = in_parts(run, numbers)
        assert isinstance(results.pop(bad), ValueError)
        assert results == [n * n for n in numbers if n > 0]
        assert len(run.runs) <= 2 * size.bit_length() + 1


def test_an_outage_fails_all_in_one_go() -> None:
    run = Refusing()
    assert all(isinstance(one, LedgerUnavailable) for one in in_parts(run, [1, 0, 2, 3]))
    assert run.runs == [[1, 0, 2, 3]]


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


def test_a_single_item_has_its_result_or_raises_its_error() -> None:
    assert only([7]) == 7
    with pytest.raises(ValueError, match="of an earlier step"):
        only([BROKEN])
