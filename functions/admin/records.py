"""What the admin asks of the ledger: objects, their history, rates and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared.ledger.database import Database, Row
from shared.ledger.rows import State

QUERIES = Path(__file__).with_name("queries.sql")


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything that is recorded of one object, named as the ledger's columns are."""

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


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger says of one object's file."""

    id: int
    file_name: str
    file_type: str
    state: State
    size_bytes: int | None
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One entry of an object's history."""

    attempt: int
    outcome: str
    reason: str | None
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Rate:
    """How many attempts ended in one step of time.

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


class Objects:
    """Reads the ledger for the admin.

    Args:
        database: with this module's queries.

    Every method raises `LedgerUnavailable` when PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def file_types(self) -> list[str]:
        """Gives the media types there are."""
        return [row[0] for row in self._database.run("file_types")]

    def object(self, row_id: int) -> Detail | None:
        """Gives one object, None when there is none."""
        rows = self._database.run("object", row_id=row_id)
        return Detail(*typed(rows[0], 7)) if rows else None

    def attempts(self, row_id: int) -> list[Attempt]:
        """Gives an object's history, the newest entries first."""
        return [Attempt(*row) for row in self._database.run("attempts", row_id=row_id)]

    def recorded(self, row_ids: Sequence[int]) -> list[Recorded]:
        """Gives what is recorded of the files of some objects."""
        rows = self._database.run("recorded", row_ids=list(row_ids))
        return [Recorded(*typed(row, 3)) for row in rows]

    def newest_file(self, file_name: str) -> Recorded | None:
        """Gives the object whose file has this name now, None when there is none."""
        rows = self._database.run("newest_file", file_name=file_name)
        return Recorded(*typed(rows[0], 3)) if rows else None

    def rates(self, since: datetime, step: timedelta) -> list[Rate]:
        """Gives what ended since a moment, by steps of time."""
        seconds = step.total_seconds()
        rows = self._database.run("rates", since=since, step_seconds=seconds)
        return [Rate(*row) for row in rows]

    def failure_reasons(self) -> list[tuple[str, int]]:
        """Gives why objects are failed and how many of the newest thousand, most first."""
        return [(reason, count) for reason, count in self._database.run("failure_reasons")]


def typed(row: Row, state: int) -> Row:
    """Gives a row whose state, in that column, is a `State`, and whose digests are bytes."""
    values: list[Any] = [bytes(v) if isinstance(v, memoryview) else v for v in row]
    values[state] = State(values[state])
    return tuple(values)
