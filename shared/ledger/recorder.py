"""Recording accepted requests, those that came together in one statement and one commit.

An autocommitted INSERT of one row took PostgreSQL 370 µs of processor time here, and a row of a
group 70: parsing, planning, the counters' trigger, the commit and the round trip are shared.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.ledger.database import Database
from shared.ledger.failures import refusals
from shared.ledger.rows import NewObject
from shared.outcomes import in_parts


class Recorder:
    """Records requests.

    Args:
        database: where the ledger is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_all(self, news: Sequence[NewObject], due_in: float) -> list[int | Exception | None]:
        """Record several requests; see `Ledger.record_all`.

        One whose values PostgreSQL does not take (`RowRefused`) fails alone.
        """
        return in_parts(lambda part: self._record(part, due_in), news)

    def _record(self, news: Sequence[NewObject], due_in: float) -> list[int | None]:
        ids, again = self._ids(
            "record",
            news,
            oeids=[new.oeid for new in news],
            ref_ids=[new.ref_id for new in news],
            file_names=[new.file_name for new in news],
            file_types=[new.file_type for new in news],
            delay=due_in,
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
        self, query: str, news: Sequence[NewObject], **more: object
    ) -> tuple[dict[tuple[bytes, str], int], bool]:
        with refusals():
            rows, again = self._database.run_telling(
                query,
                checksums=[new.payload_checksum for new in news],
                request_ids=[new.request_id for new in news],
                **more,
            )
        return {(bytes(row.payload_checksum), row.request_id): row.id for row in rows}, again


def _identity(new: NewObject) -> tuple[bytes, str]:
    return new.payload_checksum, new.request_id
