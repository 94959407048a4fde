"""A claimed row as the worker gets it."""

from __future__ import annotations

from shared.domain import StoredCopy, UnprovenCopy, Wanted
from shared.ledger.database import Row
from shared.ledger.rows import Claim

MOST_COMPARED_BYTES = 32 * 1024**3
"""Size up to which a file in place is read again to spare a download. Reading begins anew with each
invocation, of which the longest on Lambda is 15 minutes; a download continues where it stopped."""


def claim_of(row: Row) -> Claim:
    """Return the claim that a row of the statement `claim` is."""
    return Claim(
        wanted=Wanted(
            row_id=row.id,
            attempt=row.attempts,
            file_name=row.file_name,
            queued_at=row.queued_at,
            claimed_at=row.claimed_at,
            unproven=_unproven(row),
            stored=_stored(row),
        ),
        counted_attempts=row.counted_attempts,
        request_id=row.request_id,
    )


def _unproven(row: Row) -> UnprovenCopy | None:
    if row.unproven_sha256 is None:
        return None
    return UnprovenCopy(row.unproven_etag, row.unproven_size, bytes(row.unproven_sha256))


def _stored(row: Row) -> StoredCopy | None:
    """Return the file that the object may be compared with, None if it must be downloaded."""
    if not (row.comparable and row.stored_etag and row.stored_sha256 and row.stored_verified_by):
        return None
    if row.stored_size > MOST_COMPARED_BYTES:
        return None
    return StoredCopy(
        row.stored_etag, row.stored_size, bytes(row.stored_sha256), row.stored_verified_by
    )
