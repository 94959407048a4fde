"""Looking up what became of one request, by its signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.ledger.database import Database, Row
from shared.ledger.rows import State


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """What became of a request.

    Attributes:
        request_id: the request's own id.
        state: of its object.
        retrying: whether it is queued after at least one attempt that has ended.
        attempts: how often it was attempted, as the admin shows it: one that runs is included, and
            those before a person's retry are.
        next_attempt_at: when it may be attempted again; None unless it waits for that.
        reason: why the last attempt did not succeed; None if it did, or if there was none.
        size_bytes: of the file that is in place, None if there is none. It may be an earlier copy
            while the object is fetched again. So may the next two.
        sha256: its digest, 32 bytes.
        verified_by: what its bytes were compared with.
        created_at: when the request was accepted.
        synced_at: when the file was recorded, None unless the state is synced.
        failed_at: when it failed, None unless the state is failed or dismissed.
        seconds_until: seconds until its next attempt, not positive if that is due or runs.
        seconds_waited: seconds since it was queued, by its request or by a person.
    """

    request_id: str
    state: State
    retrying: bool
    attempts: int
    next_attempt_at: datetime | None
    reason: str | None
    size_bytes: int | None
    sha256: bytes | None
    verified_by: str | None
    created_at: datetime
    synced_at: datetime | None
    failed_at: datetime | None
    seconds_until: float
    seconds_waited: float


class Lookup:
    """Look-ups, several in one statement: pollers ask often.

    Args:
        database: where the ledger is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_all(self, signatures: Sequence[bytes]) -> list[RequestStatus | None]:
        """Return what became of some requests, None where no request has the signature.

        Args:
            signatures: 32 bytes each.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        rows = self._database.run("look_up", signatures=list(signatures))
        found = {bytes(row.payload_checksum): _status(row) for row in rows}
        return [found.get(signature) for signature in signatures]


def _status(row: Row) -> RequestStatus:
    queued = row.state == State.QUEUED
    waits = queued and not row.leased and row.seconds_until > 0
    return RequestStatus(
        request_id=row.request_id,
        state=State(row.state),
        # The first attempt, while it runs, is no retry.
        retrying=queued and row.attempts > int(row.leased),
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at if waits else None,
        reason=row.last_error,
        size_bytes=row.size_bytes,
        sha256=None if row.sha256 is None else bytes(row.sha256),
        verified_by=row.verified_by,
        created_at=row.created_at,
        synced_at=row.synced_at,
        failed_at=row.failed_at,
        seconds_until=row.seconds_until if waits else 0.0,
        seconds_waited=row.seconds_waited,
    )
