from __future__ import annotations

import pytest

from shared import errors
from shared.pausing import (
    Finding,
    Part,
    finding_of,
    is_answer,
    is_certain,
    is_counted,
    must_pause,
    part_of,
)

SHARED: dict[type[errors.TransferError], Part] = {
    errors.CredentialsRefused: Part.SOURCE,
    errors.AddressRefused: Part.SOURCE,
    errors.BucketMissing: Part.SOURCE,
    errors.SourceUnavailable: Part.SOURCE,
    errors.NotAnObjectStore: Part.SOURCE,
    errors.AccessRefused: Part.SOURCE,
    errors.ObjectHidden: Part.SOURCE,
    errors.StorageFull: Part.STORAGE,
    errors.StorageUnavailable: Part.STORAGE,
}
TRANSFER_ERRORS = [*errors.RetryLater.__subclasses__(), *errors.GiveUp.__subclasses__()]


@pytest.mark.parametrize("error", TRANSFER_ERRORS)
def test_each_error_concerns_its_part_or_its_object_alone(
    error: type[errors.TransferError],
) -> None:
    assert part_of(error()) is SHARED.get(error)
    assert not (is_answer(error()) and part_of(error()) is Part.SOURCE)


def test_only_what_hardly_any_object_can_cause_is_certain() -> None:
    certain = {error for error in TRANSFER_ERRORS if is_certain(error())}
    assert certain == {errors.AddressRefused, errors.BucketMissing, errors.CredentialsRefused}


def test_only_what_answers_in_place_of_an_object_store_counts() -> None:
    assert {error for error in TRANSFER_ERRORS if is_counted(error())} == {errors.NotAnObjectStore}


@pytest.mark.parametrize(
    ("met", "seen", "finding"),
    [
        (errors.SourceUnavailable(), None, Finding.WORKS),
        (errors.SourceUnavailable(), errors.ObjectNotVisible(), Finding.WORKS),
        (errors.SourceUnavailable(), errors.ContentMismatch(), Finding.WORKS),
        (errors.SourceUnavailable(), errors.StorageFull(), Finding.WORKS),
        (errors.SourceUnavailable(), errors.ObjectHidden(), Finding.WORKS),
        (errors.SourceUnavailable(), errors.SourceUnavailable(), Finding.BROKEN),
        (errors.SourceUnavailable(), errors.BucketMissing(), Finding.BROKEN),
        (errors.SourceUnavailable(), errors.OutOfTime(), Finding.UNDECIDED),
        (errors.AccessRefused(), None, Finding.WORKS),
        (errors.AccessRefused(), errors.ObjectNotVisible(), Finding.WORKS),
        (errors.AccessRefused(), errors.ObjectHidden(), Finding.UNDECIDED),
        (errors.ObjectHidden(), errors.ObjectHidden(), Finding.UNDECIDED),
        (errors.ObjectHidden(), errors.CredentialsRefused(), Finding.BROKEN),
        (errors.StorageFull(), None, Finding.UNDECIDED),
        (errors.StorageFull(), errors.StorageFull(), Finding.BROKEN),
        (errors.StorageFull(), errors.StorageUnavailable(), Finding.BROKEN),
        (errors.StorageUnavailable(), None, Finding.WORKS),
        (errors.StorageUnavailable(), errors.StorageUnavailable(), Finding.BROKEN),
    ],
)
def test_another_object_decides_between_one_and_all(
    met: errors.TransferError, seen: errors.TransferError | None, finding: Finding
) -> None:
    assert finding_of(met, seen) is finding


@pytest.mark.parametrize(
    ("finding", "suspects", "pauses"),
    [
        (Finding.WORKS, 1, False),
        (Finding.WORKS, 1000, False),
        (Finding.BROKEN, 1, True),
        (Finding.UNDECIDED, 1, False),
        (Finding.UNDECIDED, 2, False),
        (Finding.UNDECIDED, 3, True),
    ],
)
def test_what_is_undecided_takes_several_objects(
    *, finding: Finding, suspects: int, pauses: bool
) -> None:
    assert must_pause(finding, suspects) is pauses


@pytest.mark.parametrize(
    ("finding", "pauses"),
    [(Finding.WORKS, False), (Finding.BROKEN, True), (Finding.UNDECIDED, True)],
)
def test_what_is_certain_pauses_unless_another_object_can_be_read(
    *, finding: Finding, pauses: bool
) -> None:
    assert must_pause(finding, 1, certain=True) is pauses
