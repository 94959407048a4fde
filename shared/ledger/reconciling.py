"""What a comparison with the bucket and the storage asks of the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from shared.ledger.database import Database, Row
from shared.ledger.rows import State, storable
from shared.ledger.selection import literal

_STATES = {state.value: state for state in State}
"""A look-up here takes a tenth of what `State(…)` does, and is done for each of a million rows."""


class Stored(NamedTuple):
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


class Known(NamedTuple):
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
        rows = self._database.run("known_names", names=list(names))
        return {row.name: _known(row) for row in rows}

    def known_between(
        self, after: str, upto: str | None, prefix: str, most: int
    ) -> tuple[dict[str, Known], bool]:
        """Return what the ledger has of some names in the order of their bytes, and if that is all.

        Args:
            after: only names behind it.
            upto: and up to it, None for all.
            prefix: that begin so.
            most: the largest number of rows that are read; at least one name is returned if there
                is any, however many rows it has.
        """
        rows = self._database.run(
            "rows_between", after=after, upto=upto, pattern=f"{literal(prefix)}%", most=most
        )
        known = {name: _known_by(list(some)) for name, some in groupby(rows, attrgetter("name"))}
        if len(rows) < most:
            return known, True
        last = rows[-1].name  # it may have more rows
        if len(known) > 1:
            del known[last]
        else:
            known |= self.known([last])
        return known, False

    def unknown(self, names: Collection[str]) -> set[str]:
        """Return those of some names that the ledger has no object of."""
        if not names:
            return set()
        return {row.name for row in self._database.run("unknown_names", names=list(names))}

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


def _known(row: Row) -> Known:
    stored = None
    if row.stored_id is not None:
        state = _STATES[row.stored_state]
        stored = Stored(row.stored_id, state, row.size_bytes, row.etag, row.placed_at)
    return Known(_STATES[row.newest_state], row.queued, stored)


def _known_by(rows: Sequence[Row]) -> Known:
    """Return what is known by all rows of one name, of which the one placed last comes last."""
    if len(rows) == 1:  # nearly always
        (newest,) = placed = rows
    else:
        newest = max(rows, key=attrgetter("id"))
        placed = [row for row in rows if row.placed_at is not None] or rows
    row, stored = placed[-1], None
    if row.placed_at is not None:
        stored = Stored(row.id, _STATES[row.state], row.size_bytes, row.etag, row.placed_at)
    queued = State.QUEUED in [row.state for row in rows]
    return Known(_STATES[newest.state], queued, stored)
