from __future__ import annotations

import inspect
import re

import pytest

from shared import errors

CLASSES = [
    c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == "shared.errors"
]


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = []
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ((?:[│ ]   )*)(?:[├└]── )?([A-Z][A-Za-z]+)(?: |$)", line)
        if found is None:
            continue
        depth = len(found[1]) // 4 + (1 if "── " in line else 0)
        above[depth:] = [found[2]]
        drawn.append((found[2], above[depth - 1] if depth else "Exception"))
    assert drawn[0] == ("ServiceError", "Exception")
    assert sorted(drawn) == sorted((c.__name__, c.__bases__[0].__name__) for c in CLASSES)


def test_the_first_line_of_a_docstring_is_the_message() -> None:
    assert str(errors.ObjectMissing()) == "The object does not exist"
    assert str(errors.ObjectMissing("a.jpg")) == "The object does not exist: a.jpg"
    assert str(errors.TooManyRequests(3)) == "Too many requests"
    assert str(errors.InvalidFields([])) == "Invalid JSON data"


@pytest.mark.parametrize("error", [c for c in CLASSES if issubclass(c, errors.TransferError)])
def test_every_transfer_error_has_a_sentence_of_its_own(error: type[errors.TransferError]) -> None:
    others = {c.__doc__ for c in CLASSES if c is not error}
    assert error.__doc__
    assert error.__doc__ not in others


def test_retry_later_and_give_up_are_kept_apart() -> None:
    for error in CLASSES:
        assert not (issubclass(error, errors.RetryLater) and issubclass(error, errors.GiveUp))
