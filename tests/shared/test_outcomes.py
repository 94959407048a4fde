from __future__ import annotations

from collections.abc import Sequence

from shared.outcomes import each, together

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
