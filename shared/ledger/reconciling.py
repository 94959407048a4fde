"""What a comparison with the bucket and the storage asks of the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.ledger.database import Database
from shared.ledger.rows import State, storable
from shared.ledger.selection import literal


@dataclass(frozen=True, slots=True)
class Stored:
    """The object whose file has a name now.

    Attributes:
        row_id: its row.
        state: of the row; it may be fetched again.
        size: bytes of the file as recorded, None if that is yet to be recorded.
        etag: without quotes, None where the source gave none.
        placed_at: when the file was renamed into place (aware).
    """

    row_id: int
    state: State
    size: int | None
    etag: str | None
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger has of one name.

    Attributes:
        newest: the state of the object that was recorded last.
        queued: whether any object of the name waits for a worker.
        stored: the one whose file has the name, None if none has been placed.
    """

    newest: State
    queued: bool
    stored: Stored | None


PROBLEMS = ("missed", "missing", "different", "orphaned", "failed", "queued")
"""Numbers of a run that must be 0 for a complete copy, beside what is refused but for folders."""


def run_options(prefix: str = "", *, enqueue: bool = False) -> dict[str, Any]:
    """Return the options of a run that compares the bucket.

    Args:
        prefix: of the keys and names that are compared; empty for all.
        enqueue: record what was missed or has another version now, and fetch again what is wrong
            on disk.
    """
    return {"prefix": prefix, "enqueue": enqueue}


def is_whole(numbers: Mapping[str, int]) -> bool:
    """Return whether a finished run has found the copy complete."""
    refused = numbers.get("refused", 0) - numbers.get("folders", 0)
    return not refused and not any(numbers.get(name) for name in PROBLEMS)


class Reconciling:
    """The operations of a comparison.

    Args:
        database: with the ledger's statements.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, names: Collection[str]) -> dict[str, Known]:
        """Return what the ledger has of some names; those that it has not are left out."""
        if not names:
            return {}
        return {
            row.name: Known(
                State(row.newest_state),
                row.queued,
                None
                if row.stored_id is None
                else Stored(
                    row.stored_id,
                    State(row.stored_state),
                    row.size_bytes,
                    row.etag,
                    row.placed_at,
                ),
            )
            for row in self._database.run("known_names", names=list(names))
        }

    def existing(self, names: Collection[str]) -> set[str]:
        """Return those of some names that the ledger has any object of."""
        if not names:
            return set()
        return {row.name for row in self._database.run("existing_names", names=list(names))}

    def names_between(self, after: str, upto: str | None, prefix: str, most: int) -> list[str]:
        """Return names in the order of their bytes.

        Args:
            after: only names behind it.
            upto: and up to it, None for all.
            prefix: that begin so.
            most: the largest number.
        """
        rows = self._database.run(
            "names_between", after=after, upto=upto, pattern=f"{literal(prefix)}%", most=most
        )
        return [row.name for row in rows]

    def recorded(self, checksums: Collection[bytes]) -> Mapping[bytes, int]:
        """Return the rows of the versions that were recorded before and are synced, by key."""
        if not checksums:
            return {}
        rows = self._database.run("recorded_versions", checksums=list(checksums))
        return {bytes(row.payload_checksum): row.id for row in rows}

    def with_finding(self, run_id: int, kinds: Collection[str], names: Collection[str]) -> set[str]:
        """Return the names, of some, that have a finding of some kinds in a run."""
        if not names:
            return set()
        shown = {storable(name): name for name in names}
        rows = self._database.run(
            "found_names", run_id=run_id, kinds=list(kinds), names=list(shown)
        )
        return {shown[row.file_name] for row in rows}

    def forget_findings(self, run_id: int) -> None:
        """Remove what a run has found, before it begins anew."""
        self._database.run("forget_findings", run_id=run_id)
