"""The conditional request: an object that is in place already need not be sent again."""

from __future__ import annotations

import re
from collections.abc import Callable

from shared.domain import Fetched, StoredCopy, Wanted
from shared.errors import RetryLater
from shared.sources.s3 import evidence
from shared.sources.s3.connections import Connections
from shared.sources.s3.job import Job
from shared.sources.s3.stream import Stream
from shared.sources.s3.transport import CONTENT
from shared.storage.reading import StorageReader, Verdict


class ConditionalRequest:
    """Asks for an object unless its version is that of the file in place (`If-None-Match`).

    Where it is, the file is read again: the store speaks of its object only. Whatever else is
    answered is no refusal yet, because a proxy may remove the header, which is signed, and a store
    may not know it.

    Everything runs on the transport's thread, except for `_read`.

    Args:
        job: the download; it ends with the file in place where that is right.
        connections: its streams.
        wanted: the object.
        stored: the file in place.
        reader: reads files of the storage.
        on_content: called with the head of a 200 or 206, see `Stream`.
        on_end: called with the end of such a response, and of a request that was cut short.
        otherwise: called where the object must be requested without a condition.
    """

    def __init__(
        self,
        job: Job,
        connections: Connections,
        wanted: Wanted,
        stored: StoredCopy,
        reader: StorageReader,
        *,
        on_content: Callable[[Stream], bool],
        on_end: Callable[[Stream, RetryLater | None], None],
        otherwise: Callable[[], None],
    ) -> None:
        self._job, self._connections, self._reader = job, connections, reader
        self._wanted, self._stored = wanted, stored
        self._on_content, self._on_end, self._otherwise = on_content, on_end, otherwise
        self._verdict = Verdict.UNFINISHED

    def send(self) -> None:
        """Send it; see `Transport.get` for where this may be called."""
        stream = Stream(self._job, self._on_content, self._on_response)
        self._connections.open(stream, f'If-None-Match: "{self._stored.etag}"')

    def _on_response(self, stream: Stream, error: RetryLater | None) -> None:
        if error is not None or stream.status in CONTENT:
            self._on_end(stream, error)
            return
        self._connections.ended(stream)
        if not self._job.going:
            return
        if evidence.is_unchanged(stream.status, stream.headers, self._stored.etag):
            self._job.run(self._read, self._compare)
        else:
            self._otherwise()

    def _read(self) -> None:
        name, stored = self._wanted.file_name, self._stored
        self._verdict = self._reader.verify(name, stored.size, stored.sha256, self._goes_on)

    def _goes_on(self) -> bool:
        self._wanted.progress.steps += 1
        return self._job.going

    def _compare(self) -> None:
        if not self._job.going:
            return
        stored = self._stored
        if self._verdict is Verdict.MATCH:
            self._job.succeed(
                Fetched(stored.size, stored.sha256, stored.etag, stored.verified_by, in_place=True)
            )
        else:
            self._otherwise()


def is_sendable(etag: str) -> bool:
    """Return whether an ETag may be sent in quotes (RFC 9110, section 8.8.3), in ASCII alone."""
    return re.fullmatch(r"[!#-~]+", etag) is not None
