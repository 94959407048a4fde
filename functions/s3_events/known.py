"""What is to be done if an event tells of an object that was recorded before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.s3_events.happenings import Created, Wanted
from shared.ledger.found_objects import RecordedVersion
from shared.ledger.rows import State


@dataclass(slots=True)
class Again:
    """What is to be done.

    Attributes:
        restore: rows to be restored, before they are retried.
        retry: rows to be retried.
        fetch_again: rows to be fetched again.
        anew: objects that need a row of their own.
    """

    restore: list[int] = field(default_factory=list)
    retry: list[int] = field(default_factory=list)
    fetch_again: list[int] = field(default_factory=list)
    anew: dict[bytes, Created] = field(default_factory=dict)


def judge(before: Wanted, recorded: Mapping[bytes, RecordedVersion]) -> Again:
    """Return what is to be done with objects that were recorded before.

    Args:
        before: the objects.
        recorded: what the ledger has of them.
    """
    again = Again()
    for checksum, row in recorded.items():
        created = before[checksum]
        match row.state:
            case State.DISMISSED:
                again.restore.append(row.row_id)
                again.retry.append(row.row_id)
            case State.FAILED:
                again.retry.append(row.row_id)
            case State.SYNCED if replaced_since(created, row):
                again.fetch_again.append(row.row_id)
            case State.QUEUED if created_since(created, row):
                again.anew[created.request_checksum] = created
    return again


def replaced_since(created: Created, row: RecordedVersion) -> bool:
    """Return whether a synced version must be fetched again, as another one has its name by now.

    ================================================  =================================
    the version                                       must be fetched again
    ================================================  =================================
    has an ETag, that of the file of its name         no: the event came twice
    the same, while another of the name is in flight  yes: that may be an older version
    has an ETag, the file of its name another one     yes: the object is this one again
    has no ETag                                       no: such an id never comes back
    ================================================  =================================
    """
    if created.etag is None:
        return False
    same = row.stored_etag is not None and row.stored_etag.lower() == created.etag.lower()
    return not same or row.other_in_flight


def created_since(created: Created, row: RecordedVersion) -> bool:
    """Return whether a queued version was created again while a worker is at it.

    That worker may have read the object before, when it was another version. A row that no worker
    has is fetched later than this, and the event that recorded a row tells of nothing new.
    """
    return row.in_flight and created.request_id not in {None, row.request_id}
