"""What goes into the ledger and what comes out of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from shared.domain import Fetched, UnprovenCopy, Wanted

LONGEST_TEXT = 4_000
"""Characters of a reason or an ETag; a server can answer anything."""

LONGEST_DELAY_SECONDS = 30 * 86_400.0
"""PostgreSQL's timestamps end."""


class State(enum.StrEnum):
    """State of an object, drawn in docs/state_machine.md."""

    QUEUED = "queued"
    """Recorded; will be delivered."""
    SYNCED = "synced"
    """Its file is in place and verified."""
    FAILED = "failed"
    """Given up, with a reason; a person may retry it."""
    DISMISSED = "dismissed"
    """A person has seen the failure, and it needs no action."""


class Outcome(enum.StrEnum):
    """How an attempt ended."""

    SYNCED = "synced"
    """The file is in place."""
    RETRY = "retry"
    """A temporary error: another attempt may succeed."""
    FAILED = "failed"
    """A permanent error, or the last attempt was used up."""


@dataclass(frozen=True, slots=True)
class NewObject:
    """An accepted request.

    Attributes:
        payload_checksum: the request's signature, 32 bytes; unique forever.
        request_id: the request's, for the trace; a client may use one for several requests.
    """

    oeid: str
    ref_id: str
    file_name: str
    file_type: str
    payload_checksum: bytes
    request_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that one worker holds for one attempt.

    Attributes:
        wanted: the object.
        counted_attempts: attempts since the row was created or retried, this one included.
        request_id: id of the request that recorded the row.
    """

    wanted: Wanted
    counted_attempts: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one claim ends.

    Attributes:
        claim: the claim.
        outcome: how it ended.
        reason: what a person reads; None when synced.
        delay: seconds until the next attempt; only for a retry.
        counted: whether a retry uses up one of the row's attempts.
        fetched: the verified copy; only when synced.
        unproven: a whole copy that nothing proved, for the next attempt; only for a retry.
    """

    claim: Claim
    outcome: Outcome
    reason: str | None = None
    delay: float = 0.0
    counted: bool = True
    fetched: Fetched | None = None
    unproven: UnprovenCopy | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Exact numbers of objects by state, and the bytes of the synced ones."""

    synced: int
    queued: int
    failed: int
    bytes_stored: int
    dismissed: int = 0


def storable(text: str | None) -> str | None:
    """Return a text from outside as PostgreSQL takes it: no NUL, no lone surrogates, not endless.

    What cannot be stored is shown as an escape. Of a file name that is no UTF-8, Python makes lone
    surrogates; an error's text may have them.
    """
    if text is None:
        return None
    shown = text[:LONGEST_TEXT].replace("\x00", r"\x00")
    return shown.encode(errors="backslashreplace").decode()
