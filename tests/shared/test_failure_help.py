from __future__ import annotations

import pytest

from shared import errors
from shared.failure_help import UNKNOWN, WORKER_STOPPED, help_for, reason_of


def subclasses(kind: type[errors.TransferError]) -> set[type[errors.TransferError]]:
    found = set(kind.__subclasses__())
    return found.union(*map(subclasses, found))


def test_every_error_that_an_object_can_fail_for_is_explained() -> None:
    # An object also fails for a temporary error, once its attempts are used up.
    for kind in subclasses(errors.TransferError) - {errors.RetryLater}:
        title = (kind.__doc__ or "").partition("\n")[0].rstrip(".")
        found = help_for(f"{title}: with: details")
        assert found is not UNKNOWN, kind
        assert found.meaning.endswith("."), kind
        assert found.next_step.endswith("."), kind


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("The object does not exist: 404 NoSuchKey", "The object does not exist"),
        ("The local storage is full", "The local storage is full"),
        ("the worker stopped without an answer, attempts used up", WORKER_STOPPED),
        ("It is full: x; then the worker stopped without an answer, attempts used up",
         WORKER_STOPPED),
    ],
)  # fmt: skip
def test_a_reason_is_an_error_without_its_details(error: str, reason: str) -> None:
    assert reason_of(error) == reason
    assert help_for(error) == help_for(reason) != UNKNOWN


def test_an_unknown_reason_still_has_a_next_step() -> None:
    assert help_for("reason: 7") is UNKNOWN
