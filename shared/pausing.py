"""Which faults concern one object, and which concern them all: pure policy.

A fault of the source or of the storage is no property of the object that met it. It opens a pause
(a circuit breaker): nothing else is attempted there until a probe succeeds, and no attempt is used
up. See docs/state_machine.md, "A pause".
"""

from __future__ import annotations

import enum

from shared import errors

DISTINCT_OBJECTS = 3
"""So many different objects in a row, without a success in between, are not refused for reasons of
their own."""

FIRST_PROBE_SECONDS = 1.0
LONGEST_PROBE_SECONDS = 8.0
"""Seconds between probes: 1, 2, 4, 8, 8, … A probe costs one request, and work is to go on within
10 s after the cause is gone."""


class Part(enum.Enum):
    """What can be paused."""

    SOURCE = "source"
    STORAGE = "storage"


def names_at(machine: str) -> dict[Part, str]:
    """Return the names of the pauses that keep the workers of a machine from claiming rows."""
    return {Part.SOURCE: Part.SOURCE.value, Part.STORAGE: f"{Part.STORAGE.value}:{machine}"}


class Finding(enum.Enum):
    """What a look at the whole part showed, after one object met a fault there."""

    WORKS = "works"
    """Another object could be read, or another file written."""
    BROKEN = "broken"
    """It fails in the same way."""
    UNDECIDED = "undecided"
    """The other object may be refused for a reason of its own."""


_CERTAIN = (errors.CredentialsRefused, errors.AddressRefused, errors.BucketMissing)
_SOURCE = (
    *_CERTAIN,
    errors.SourceUnavailable,
    errors.NotAnObjectStore,
    errors.AccessRefused,
    errors.ObjectHidden,
)
_STORAGE = (errors.StorageFull, errors.StorageUnavailable)
_REFUSAL = (errors.AccessRefused, errors.ObjectHidden)
_ANSWERED = (
    errors.ObjectNotVisible,
    errors.ObjectMissing,
    errors.ObjectUnreadable,
    errors.ObjectChanged,
    errors.ContentMismatch,
)
"""Errors that only a source that works can lead to."""


def part_of(error: errors.TransferError) -> Part | None:
    """Return what the error may concern as a whole, None where it is the object's alone.

    ==============================================  ===========
    error                                           part
    ==============================================  ===========
    `CredentialsRefused`, `AddressRefused`,         the source
    `BucketMissing`, `SourceUnavailable`,
    `NotAnObjectStore`, `AccessRefused`,
    `ObjectHidden`
    `StorageFull`, `StorageUnavailable`             the storage
    any other                                       None
    ==============================================  ===========
    """
    if isinstance(error, _SOURCE):
        return Part.SOURCE
    return Part.STORAGE if isinstance(error, _STORAGE) else None


def is_certain(error: errors.TransferError) -> bool:
    """Return whether the error is all objects' unless another one can be read at that moment.

    A signature may be refused for one name alone, which something on the way spells differently.
    """
    return isinstance(error, _CERTAIN)


def is_counted(error: errors.TransferError) -> bool:
    """Return whether an attempt that met the error counts although it concerns all objects.

    What answers in place of an object store may do so forever, and no request is refused: the
    objects must end as failed, with that reason. The pause keeps it from using up their attempts
    at once: only probes are attempted.
    """
    return isinstance(error, errors.NotAnObjectStore)


def is_answer(error: errors.TransferError) -> bool:
    """Return whether the error proves that the source works, though not for this object."""
    return isinstance(error, _ANSWERED)


def finding_of(met: errors.TransferError, seen: errors.TransferError | None) -> Finding:
    """Return what the fate of another object, or file, shows about the part that failed.

    =====================================  =============================  =============
    met                                    seen                           finding
    =====================================  =============================  =============
    any                                    `OutOfTime`                    `UNDECIDED`
    any, but `StorageFull`                 None, or no fault of the part  `WORKS`
    `StorageFull`                          None                           `UNDECIDED`
    `AccessRefused`, `ObjectHidden`        one of the two                 `UNDECIDED`
    any other                              one of the two                 `WORKS`
    any                                    any other fault of the part    `BROKEN`
    =====================================  =============================  =============

    A small file may fit where a large one does not, and a server that refuses one object answers.

    Args:
        met: the fault that an object met.
        seen: how the other one ended, None where it succeeded.
    """
    if isinstance(seen, errors.OutOfTime):
        return Finding.UNDECIDED
    if seen is None or part_of(seen) is not part_of(met):
        return Finding.UNDECIDED if isinstance(met, errors.StorageFull) else Finding.WORKS
    if isinstance(seen, _REFUSAL):
        return Finding.UNDECIDED if isinstance(met, _REFUSAL) else Finding.WORKS
    return Finding.BROKEN


def must_pause(finding: Finding, suspects: int, *, certain: bool = False) -> bool:
    """Return whether faults that may concern all objects do.

    =============  ==========================================
    finding        pause
    =============  ==========================================
    `WORKS`        never
    `BROKEN`       always
    `UNDECIDED`    from three objects on, or if it is certain
    =============  ==========================================

    Args:
        finding: what a look at the whole part showed.
        suspects: different objects that met such a fault in a row, without a success in between.
        certain: see `is_certain`.
    """
    if finding is Finding.UNDECIDED:
        return certain or suspects >= DISTINCT_OBJECTS
    return finding is Finding.BROKEN
