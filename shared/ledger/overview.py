"""The progress of the ledger's work: rate, retries, reasons of failures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.ledger.database import Database

QUERIES = Path(__file__).with_name("overview.sql")

RATE_MINUTES = 5
"""Span of the measured rate: long enough for large objects, short enough to follow a change."""

NEWEST_FAILURES = 100_000
"""Failures that are counted by reason, so that counting takes a second at most."""

MOST_REASONS = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """What ended in the last minutes.

    Attributes:
        synced: objects whose files were put in place.
        retries: attempts that are followed by another one.
        failed: objects that failed for good.
        seconds: the span that these numbers cover, 0 if nothing ended.
    """

    synced: int
    retries: int
    failed: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Objects synced per second."""
        return self.synced / max(self.seconds, 1.0)


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Why objects failed, and how many did.

    Attributes:
        reason: the error without its details; see `shared.failure_help`.
        objects: how many.
        first_at: when the first of them failed (aware).
        last_at: when the last of them failed.
        example_id: the newest of them.
        example_name: its file name.
        example_error: its whole error.
    """

    reason: str
    objects: int
    first_at: datetime | None
    last_at: datetime | None
    example_id: int
    example_name: str
    example_error: str


class Overview:
    """Read queries on the ledger.

    Args:
        database: with this module's queries.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def progress(self) -> Progress:
        """Return what ended in the last minutes."""
        (row,) = self._database.run("progress", minutes=RATE_MINUTES)
        return Progress(row.synced, row.retries, row.failed, row.seconds or 0.0)

    def retrying(self) -> int:
        """Return how many queued objects wait for another attempt."""
        (row,) = self._database.run("retrying")
        return int(row.objects)

    def failures(self, newest: int = NEWEST_FAILURES) -> list[FailureReason]:
        """Return why objects have failed, the most frequent reason first.

        Args:
            newest: the number of newest failures that are looked at.
        """
        rows = self._database.run("failures", newest=newest, most=MOST_REASONS)
        return [FailureReason(**row._asdict()) for row in rows]

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._database.close()
