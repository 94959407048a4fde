"""The nouns that pass between a function, a source and the storage.

A worker asks the storage for a part file, asks the source to fill it, and lets the storage make
it durable and put it in place. Source and storage know nothing of the ledger or the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.storage.open_part import OpenPart


@dataclass(slots=True)
class Progress:
    """How far a copy has come. Its source reports it, from whichever thread does the work.

    Attributes:
        begun: whether the source works on it; otherwise it waits for its turn.
        steps: grows with everything that is written or digested.
        continued: bytes that earlier attempts had proven.
        proven: bytes that a later attempt can continue from.
    """

    begun: bool = False
    steps: int = 0
    continued: int = 0
    proven: int = 0


@dataclass(frozen=True, slots=True)
class UnprovenCopy:
    """A whole copy whose bytes nothing proves: if an independent one is the same, both are right.

    Attributes:
        etag: the object's ETag without quotes, empty where the source gave none.
        size: bytes.
        sha256: 32 bytes, computed over what was received.
    """

    etag: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """The file in place under an object's name, as it was recorded for an earlier request.

    Attributes:
        etag: the object's ETag without quotes.
        size: bytes.
        sha256: 32 bytes.
        verified_by: see `Fetched`.
    """

    etag: str
    size: int
    sha256: bytes
    verified_by: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object to copy.

    Attributes:
        row_id: the ledger row, which names the part file.
        attempt: the number of this attempt, from 1; unique forever together with `row_id`.
        file_name: the object's key, and the file's path under the storage.
        queued_at: when the row became queued (aware, the database's clock).
        claimed_at: when this attempt began, by the same clock. The grace window of a missing object
            is measured between the two, independent of this machine's clock.
        unproven: the copy of an earlier attempt that nothing proved, None if there was none.
        stored: the file that need not be copied again if the object is still the same; None if
            there is none.
        progress: how far this attempt has come.
    """

    row_id: int
    attempt: int
    file_name: str
    queued_at: datetime
    claimed_at: datetime
    unproven: UnprovenCopy | None = None
    stored: StoredCopy | None = None
    progress: Progress = field(default_factory=Progress, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a source says of an object beside its content.

    Attributes:
        modified: when the object was made, in seconds since the epoch; None where it does not say.
        headers: of the response, names in lower case: content type, ETag, user metadata.
    """

    modified: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete object in its part file, its content verified, not yet durable.

    Or the file that is in place under its name, read again and verified; then there is no part.

    Attributes:
        size: bytes.
        sha256: 32 bytes, computed over what was written.
        etag: the object's ETag without quotes, or None if the source gave none.
        verified_by: what the content was checked against, for people: "crc64nvme", "md5", "size",
            "two equal downloads", …
        file: its part file, open since it was begun, for the storage to make durable and close;
            None where the part may be opened anew for that.
        metadata: what else the source says of the object.
        in_place: whether it is the `Wanted.stored` that was there already.
    """

    size: int
    sha256: bytes
    etag: str | None
    verified_by: str
    file: OpenPart | None = field(default=None, compare=False, repr=False)
    metadata: Metadata = field(default=Metadata(), compare=False, repr=False)
    in_place: bool = False

    def with_metadata(self, metadata: Metadata) -> Fetched:
        """Return the same with what else the source says (`replace` takes five times as long)."""
        return Fetched(
            self.size,
            self.sha256,
            self.etag,
            self.verified_by,
            self.file,
            metadata,
            self.in_place,
        )
