from __future__ import annotations

from functools import partial

import pytest

from shared.errors import LedgerUnavailable
from tests.helpers.waiting import NotInTime, until


def test_the_seconds_are_returned_as_soon_as_the_condition_is_true() -> None:
    answers = iter([False, False, True])
    assert 0.0 < until(lambda: next(answers)) < 10.0


def test_an_unreachable_server_is_waited_for() -> None:
    attempts = iter([LedgerUnavailable(), LedgerUnavailable(), None])

    def reachable() -> bool:
        if error := next(attempts):
            raise error
        return True

    until(reachable)
    assert next(attempts, "all") == "all"


def test_another_error_is_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        until(lambda: 1 / 0)


def test_the_error_names_what_was_waited_for() -> None:
    trains = 0
    with pytest.raises(NotInTime, match=r"^waited 0 s for the last train$"):
        until(lambda: False, "the last train", 0.0)
    with pytest.raises(NotInTime, match=r"waited 0 s for .*until\(lambda: trains > 0"):
        until(lambda: trains > 0, seconds=0.0)
    with pytest.raises(NotInTime, match="partial"):
        until(partial(int, "0"), seconds=0.0)
