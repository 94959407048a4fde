"""What the admin reads from the ledger: objects, their attempts and rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from shared.ledger.database import Database, Row
from shared.ledger.rows import State

QUERIES = Path(__file__).with_name("queries.sql")

HOUR = timedelta(hours=1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """One line of the list; size and digest are None unless the object is synced."""

    id: int
    file_name: str
    file_type: str
    state: State
    attempts: int
    created_at: datetime
    queued_at: datetime
    synced_at: datetime | None
    failed_at: datetime | None
    next_attempt_at: datetime
    size_bytes: int | None
    sha256: bytes | None
    last_error: str | None
    verification: str | None


@dataclass(frozen=True, slots=True)
class ObjectDetails:
    """Everything that the ledger holds of one object, named as its columns are."""

    id: int
    oeid: str
    ref_id: str
    file_name: str
    file_type: str
    payload_checksum: bytes
    request_id: str
    state: State
    attempts: int
    attempts_forgiven: int
    next_attempt_at: datetime
    due_at: datetime
    leased_until: datetime | None
    claimed_at: datetime | None
    last_error: str | None
    created_at: datetime
    queued_at: datetime
    synced_at: datetime | None
    file_path: str | None
    size_bytes: int | None
    sha256: bytes | None
    etag: str | None
    verified_by: str | None
    verification: str | None
    checked_at: datetime | None
    origin: str
    failed_at: datetime | None
    verification_requested_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What the ledger records about one object's file.

    Attributes:
        size_bytes: None unless it is synced.
        sha256: the digest, None unless it is synced.
    """

    id: int
    file_name: str
    file_type: str
    state: State
    size_bytes: int | None
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One entry of an object's history.

    Attributes:
        attempt: its number, from 1; None for an action.
        outcome: how it ended, or the action.
        reason: why it did not succeed.
        started_at: when the worker began.
        finished_at: when it ended.
        actor: who performed the action; None for an attempt.
    """

    attempt: int | None
    outcome: str
    reason: str | None
    started_at: datetime
    finished_at: datetime
    actor: str | None


@dataclass(frozen=True, slots=True)
class Rate:
    """How many attempts of one outcome and duration ended in one step of time.

    Attributes:
        step: the step's beginning.
        outcome: how they ended.
        bucket: their duration since the object was queued, under 2^bucket / 8 seconds.
        objects: how many.
    """

    step: datetime
    outcome: str
    bucket: int
    objects: int


@dataclass(frozen=True, slots=True)
class Beginnings:
    """Since when there is something that needs attention, None where there is nothing.

    Attributes:
        failed: when the failed object that was queued first failed.
        problems: when the first damaged, missing or unreadable file was found.
        undelivered: when the oldest undelivered callback was recorded.
    """

    failed: datetime | None
    problems: datetime | None
    undelivered: datetime | None


class Records:
    """Read queries on the ledger.

    Args:
        database: with this module's queries.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def file_types(self) -> list[str]:
        """Return the media types in use."""
        return [row.file_type for row in self._database.run("file_types")]

    def object(self, row_id: int) -> ObjectDetails | None:
        """Return one object, None if there is none of this id."""
        rows = self._database.run("object", row_id=row_id)
        return record(ObjectDetails, rows[0]) if rows else None

    def attempts(self, row_id: int) -> list[Attempt]:
        """Return an object's history, the newest entries first."""
        return [record(Attempt, row) for row in self._database.run("attempts", row_id=row_id)]

    def files(self, row_ids: Sequence[int]) -> list[FileRecord]:
        """Return what the ledger records about some objects' files, in the order of their ids."""
        rows = self._database.run("files", row_ids=list(row_ids))
        return [record(FileRecord, row) for row in rows]

    def newest_file(self, file_name: str) -> FileRecord | None:
        """Return the object whose file has this name now, None if there is none."""
        rows = self._database.run("newest_file", file_name=file_name)
        return record(FileRecord, rows[0]) if rows else None

    def rates(self, since: datetime, step: timedelta) -> list[Rate]:
        """Return the attempts that ended since a moment, counted by steps of time.

        Args:
            since: the moment, the beginning of a step.
            step: its length; minutes are kept for two days, hours for eight.
        """
        seconds = step.total_seconds()
        name = "rates_by_hour" if step >= HOUR else "rates"
        rows = self._database.run(name, since=since, step_seconds=seconds)
        return [record(Rate, row) for row in rows]

    def beginnings(self) -> Beginnings:
        """Return since when there is something that needs attention."""
        return record(Beginnings, self._database.run("beginnings")[0])


def record(kind: type[T], row: Row) -> T:
    """Return a row as a record: each column becomes the field of its name."""
    return kind(**{name: _typed(name, value) for name, value in row._asdict().items()})


def _typed(name: str, value: Any) -> Any:
    if isinstance(value, memoryview):  # psycopg2's for bytea
        return bytes(value)
    return State(value) if name == "state" else value
