from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import errors
from shared.domain import UnprovenCopy
from shared.retry import RetryPolicy, is_half

POLICY = RetryPolicy(max_attempts=8)
ORDINARY = [
    c
    for c in errors.RetryLater.__subclasses__()
    if c not in (errors.ObjectChanged, errors.OutOfTime, errors.AccessRefused)
]


@pytest.mark.parametrize(
    ("attempts", "least", "most"),
    [(1, 3, 6), (2, 6, 24), (3, 9, 72), (4, 12, 192), (5, 15, 300), (7, 21, 420)],
)
@pytest.mark.parametrize("error", ORDINARY)
def test_the_wait_grows_with_the_attempts(
    error: type[errors.RetryLater], attempts: int, least: float, most: float
) -> None:
    assert POLICY.delay(error(), attempts, 0.0) == least
    assert POLICY.delay(error(), attempts, 1.0) == most


@pytest.mark.parametrize("error", errors.GiveUp.__subclasses__())
@pytest.mark.parametrize("attempts", [1, 7, 8])
def test_nothing_is_retried_after_giving_up(error: type[errors.GiveUp], attempts: int) -> None:
    assert POLICY.delay(error(), attempts, 0.5) is None


@pytest.mark.parametrize("error", errors.RetryLater.__subclasses__())
@pytest.mark.parametrize("attempts", [8, 9, 1000])
def test_the_attempts_are_used_up(error: type[errors.RetryLater], attempts: int) -> None:
    assert POLICY.delay(error(), attempts, 0.5) is None


@pytest.mark.parametrize("error", [errors.ObjectChanged, errors.OutOfTime])
@pytest.mark.parametrize("attempts", [1, 7])
def test_what_is_not_the_objects_fault_is_retried_at_once(
    error: type[errors.RetryLater], attempts: int
) -> None:
    assert POLICY.delay(error(), attempts, 1.0) == 0


@pytest.mark.parametrize("attempts", [1, 7])
def test_a_copy_that_nothing_proves_is_compared_at_once_and_then_in_turn(attempts: int) -> None:
    copy = UnprovenCopy("tag", 5, b"s" * 32)
    assert POLICY.delay(errors.CopyUnproven("", copy, first=True), attempts, 1.0) == 0
    assert POLICY.delay(errors.CopyUnproven("", copy, first=False), attempts, 0.0) == 3 * attempts


@pytest.mark.parametrize("attempts", [8, 9])
def test_a_copy_is_compared_even_after_the_last_attempt(attempts: int) -> None:
    copy = UnprovenCopy("tag", 5, b"s" * 32)
    first, second = (errors.CopyUnproven("", copy, first=first) for first in (True, False))
    assert (is_half(first), is_half(second)) == (True, False)
    assert POLICY.delay(first, attempts, 1.0) == 0
    assert POLICY.delay(second, attempts, 1.0) is None


@pytest.mark.parametrize(("attempts", "wait"), [(1, 3.0), (2, 6.0), (3, None), (7, None)])
def test_access_that_stays_refused_is_given_up_soon(attempts: int, wait: float | None) -> None:
    assert POLICY.delay(errors.AccessRefused(), attempts, 0.0) == wait


@given(attempts=st.integers(1, 10_000), jitter=st.floats(0, 1))
def test_the_wait_stays_within_its_bounds_for_any_number_of_attempts(
    attempts: int, jitter: float
) -> None:
    wait = RetryPolicy(max_attempts=20_000).delay(errors.StorageFull(), attempts, jitter)
    assert wait is not None
    assert 3 * attempts <= wait <= 60 * attempts
