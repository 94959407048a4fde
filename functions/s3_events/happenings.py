"""What a notification tells of: the nouns that pass between its readers and the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.idempotency import version_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """An object was created, or replaced.

    At least one of `etag`, `version_id`, `sequencer` and `time` is given.

    Attributes:
        bucket: its name.
        key: the object's key, decoded.
        etag: without quotes.
        version_id: of a bucket with versions.
        sequencer: the store's hex number of the change.
        time: of the event, as the store wrote it.
        size: bytes, None where the event does not tell.
        request_id: the store's id of the request that created the object.
    """

    bucket: str
    key: str
    etag: str | None = None
    version_id: str | None = None
    sequencer: str | None = None
    time: str | None = None
    size: int | None = None
    request_id: str | None = None

    @property
    def version(self) -> tuple[str, str] | None:
        """What tells this version of the object from all others: of which kind, and its value.

        The ETag comes first: it is all that a listing has, so that a listing and an event of one
        version have one idempotency key. None if the event has nothing that could tell.
        """
        for kind, value in (
            ("etag", self.etag),
            ("version", self.version_id),
            ("sequencer", self.sequencer),
            ("time", self.time),
        ):
            if value:
                return kind, value
        return None

    @property
    def checksum(self) -> bytes:
        """The idempotency key of this version of the object."""
        kind, value = self.version or ("", "")
        return version_key(self.bucket, self.key, kind, value)

    @property
    def request_checksum(self) -> bytes:
        """The idempotency key of its creation by this very request: the version came back."""
        return version_key(self.bucket, self.key, "request", self.request_id or "")


@dataclass(frozen=True, slots=True)
class Passed:
    """Something that leaves nothing to copy: a removal, a folder, a test.

    Attributes:
        event: what it is called.
    """

    event: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a notification that cannot be read.

    Attributes:
        reason: what was expected where.
    """

    reason: str


Happening = Created | Passed | Unreadable

Wanted = Mapping[bytes, Created]
"""Objects to be recorded, by their idempotency keys."""
