"""Recording objects that no request told of: those of a listing, and those of an event."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.ledger.database import Database
from shared.ledger.failures import refusals
from shared.ledger.rows import State
from shared.ledger.selection import Origin


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object to be recorded.

    Attributes:
        file_name: its key.
        file_type: its media type.
        checksum: its idempotency key, see `shared.idempotency`.
        request_id: of what told of it, for the trace; in the safe form.
    """

    file_name: str
    file_type: str
    checksum: bytes
    request_id: str


@dataclass(frozen=True, slots=True)
class RecordedVersion:
    """The row of one version of an object, and what else the ledger has of its name.

    Attributes:
        row_id: its row.
        request_id: of what recorded it.
        state: of the row.
        in_flight: whether a worker is at it.
        other_in_flight: whether a worker is at another row of the name.
        stored_etag: of the object whose file has the name now, None where that is unknown.
    """

    row_id: int
    request_id: str
    state: State
    in_flight: bool
    other_in_flight: bool
    stored_etag: str | None


class FoundObjects:
    """The operations on objects that no request told of.

    Args:
        database: with the ledger's statements.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, found: Sequence[FoundObject], origin: Origin, due_in: float = 0
    ) -> dict[bytes, int]:
        """Record objects, except those that were recorded before.

        Args:
            found: the objects.
            origin: how they were found.
            due_in: seconds that their messages may take before the rows are published again.

        Returns:
            The rows of those that were not recorded before, by their keys. After a lost connection
            some may be missing: the first run of the statement has recorded them.

        Raises:
            RowRefused: PostgreSQL does not take one of them; none is recorded.
        """
        with refusals():
            rows = self._database.run(
                "record_found",
                file_names=[one.file_name for one in found],
                file_types=[one.file_type for one in found],
                checksums=[one.checksum for one in found],
                request_ids=[one.request_id for one in found],
                origin=origin.value,
                due_in=due_in,
            )
        if len(rows) < len(found):
            # The others are answered for, too: see there.
            self._database.run("replicated")
        return {bytes(row.payload_checksum): row.id for row in rows}

    def recorded(self, checksums: Collection[bytes]) -> dict[bytes, RecordedVersion]:
        """Return what was recorded before of some versions, by their keys."""
        if not checksums:
            return {}
        return {
            bytes(row.payload_checksum): RecordedVersion(
                row.id,
                row.request_id,
                State(row.state),
                row.in_flight,
                row.other_in_flight,
                row.stored_etag,
            )
            for row in self._database.run("recorded_found", checksums=list(checksums))
        }
