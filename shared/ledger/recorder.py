"""Recording accepted requests, those of several threads in one statement and one commit.

An autocommitted INSERT of one row took PostgreSQL 370 µs of processor time here, and a row of a
group 70: parsing, planning, the counters' trigger, the commit and the round trip are shared.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.batching import GroupCommit
from shared.ledger.database import Database
from shared.ledger.failures import refusals
from shared.ledger.rows import NewObject

MOST = 100
"""Rows in a statement at most, so that a lock on the counters is never held for long."""


class Recorder:
    """Records requests.

    Args:
        database: where the ledger is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group_commit = GroupCommit(self._record, MOST)

    def record(self, new: NewObject, due_in: float) -> int | None:
        """Record one request; see `Ledger.record`.

        Raises:
            RowRefused: PostgreSQL does not take its values; the others of its group are recorded.
        """
        return self._group_commit((new, due_in))

    def record_all(self, news: Sequence[NewObject], due_in: float) -> list[int | Exception | None]:
        """Record several requests of one thread; see `Ledger.record_all`."""
        return self._group_commit.all([(new, due_in) for new in news])

    def _record(self, asked: Sequence[tuple[NewObject, float]]) -> list[int | None]:
        news = [new for new, _ in asked]
        ids, again = self._ids(
            "record",
            news,
            oeids=[new.oeid for new in news],
            ref_ids=[new.ref_id for new in news],
            file_names=[new.file_name for new in news],
            file_types=[new.file_type for new in news],
            delays=[due_in for _, due_in in asked],
        )
        if again:
            # After a lost connection the insert ran twice, and may find its own first rows. Only
            # then: a client may send a request and its id once more, which is a duplicate.
            own, _ = self._ids("recorded_by", news)
            ids |= own
        if again or len(ids) < len(news):
            # What an earlier statement recorded is answered for, too: it must not be lost either.
            self._database.run("replicated")
        # Of two alike in one group, one was recorded.
        return [ids.pop(_identity(new), None) for new in news]

    def _ids(
        self, query: str, news: Sequence[NewObject], **columns: list[object]
    ) -> tuple[dict[tuple[bytes, str], int], bool]:
        with refusals():
            rows, again = self._database.run_telling(
                query,
                checksums=[new.payload_checksum for new in news],
                request_ids=[new.request_id for new in news],
                **columns,
            )
        return {(bytes(row.payload_checksum), row.request_id): row.id for row in rows}, again


def _identity(new: NewObject) -> tuple[bytes, str]:
    return new.payload_checksum, new.request_id
