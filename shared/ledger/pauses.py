"""Pauses, shared by all workers: what is paused, since when, and who probes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.ledger.database import Database, Row
from shared.ledger.rows import Claim, storable
from shared.pausing import FIRST_PROBE_SECONDS, LONGEST_PROBE_SECONDS


@dataclass(frozen=True, slots=True)
class Pause:
    """A part in which nothing is attempted until a probe succeeds.

    Attributes:
        part: "source", or "storage:" and the machine.
        reason: the fault, as people read it.
        since: when it was opened (aware, the database's clock).
        probe_in: seconds until the next probe may begin, below 0 if it is due.
    """

    part: str
    reason: str
    since: datetime
    probe_in: float


class Pauses:
    """The operations on pauses.

    Args:
        database: with the ledger's queries.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Pause]:
        """Return every pause, the oldest first, but those of machines that no longer probe."""
        return [_pause(row) for row in self._database.run("pauses")]

    def of(self, parts: Sequence[str]) -> list[Pause]:
        """Return the pauses of some parts."""
        return [_pause(row) for row in self._database.run("pauses_of", parts=list(parts))]

    def open(self, part: str, reason: str) -> bool:
        """Open a pause, and return whether it was not open before."""
        return bool(
            self._database.run(
                "open_pause", part=part, reason=storable(reason), seconds=FIRST_PROBE_SECONDS
            )
        )

    def take_probe(self, part: str) -> bool:
        """Take the probe that is due, and return whether it is this worker's.

        If it is neither ended nor postponed, the next one may be taken an interval later.
        """
        return bool(
            self._database.run("take_probe", part=part, longest_seconds=LONGEST_PROBE_SECONDS)
        )

    def postpone(self, part: str, reason: str) -> None:
        """Record that a probe failed: the next one may begin after an interval."""
        self._database.run(
            "postpone_probe",
            part=part,
            reason=storable(reason),
            longest_seconds=LONGEST_PROBE_SECONDS,
        )

    def hasten(self) -> None:
        """Let the next probe of every pause begin at once: what was wrong may have been fixed."""
        self._database.run("hasten_probes")

    def end(self, part: str) -> float | None:
        """End a pause; return the seconds that it has lasted, None if it had ended before."""
        rows = self._database.run("end_pause", part=part)
        return rows[0].seconds if rows else None

    def forgive(self, claims: Sequence[Claim]) -> set[int]:
        """Take back attempts that were counted, make their rows due, and return their ids."""
        rows = self._database.run(
            "forgive",
            row_ids=[claim.wanted.row_id for claim in claims],
            attempts=[claim.wanted.attempt for claim in claims],
            counted=[claim.counted_attempts for claim in claims],
        )
        return {row.id for row in rows}

    def recently_synced(self) -> str | None:
        """Return the name of a small object that was synced recently; None if none was."""
        rows = self._database.run("recently_synced")
        return rows[0].file_name if rows else None


def _pause(row: Row) -> Pause:
    return Pause(row.part, row.reason, row.since, row.probe_in)
