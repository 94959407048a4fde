"""One request for an object, and the bytes of its response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from shared.errors import RetryLater
from shared.sources.s3.job import Job
from shared.sources.s3.location import SignedUrl
from shared.sources.s3.refusals import MAX_DOCUMENT_BYTES
from shared.sources.s3.transport import CONTENT

WRITE_BYTES = 256 * 1024
"""libcurl hands over 16 KiB at a time: this much is collected, per stream, for one write."""


class Body(Protocol):
    """What takes the bytes of an object: `InlineBody` or `SegmentedBody`."""

    def take(self, stream: Stream, data: bytes) -> bool:
        """Take bytes that follow `stream.position`; False once the stream is of no further use.

        Raises:
            TransferError: they cannot be the object's.
            OSError: the storage refuses them.
        """
        ...


class Stream:
    """The handler of one response; see `ResponseHandler`.

    Args:
        job: the download that it belongs to; an error ends it.
        on_content: called with the head of a 200 or 206; it sets `body`, and returns False to end
            the request.
        on_end: called with the end of the request, and what cut it short.
        segment: first byte and end that are requested, None for the whole object.

    Attributes:
        body: where the bytes go.
        first: first byte of the current segment.
        end: its end (exclusive), 0 until it is known.
        position: the next byte to come.
        released: the rest is left to other streams.
        document: of an error.
        target: what it was requested with.
    """

    def __init__(
        self,
        job: Job,
        on_content: Callable[[Stream], bool],
        on_end: Callable[[Stream, RetryLater | None], None],
        segment: tuple[int, int] | None = None,
    ) -> None:
        self.plain = segment is None
        self.first, self.end = segment or (0, 0)
        self.position = self.first
        self.released = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.document = b""
        self.body: Body | None = None
        self.target: SignedUrl | None = None
        self._job, self._on_content, self._on_end = job, on_content, on_end
        self._held: list[bytes] = []
        self._held_bytes = 0

    def on_head(self, status: int, headers: dict[str, str]) -> bool:
        """See `ResponseHandler`."""
        self.status, self.headers = status, headers
        with self._job.failing():
            return status not in CONTENT or (not self.released and self._on_content(self))
        return False

    def on_body(self, data: bytes) -> bool:
        """See `ResponseHandler`."""
        if self.body is None:
            if len(self.document) < MAX_DOCUMENT_BYTES:
                self.document += data
            return True
        if self.released:
            return False
        self._held.append(data)
        self._held_bytes += len(data)
        return self._held_bytes < WRITE_BYTES or self._flush()

    def on_end(self, error: RetryLater | None) -> None:
        """See `ResponseHandler`."""
        if self._held and not self.released:
            self._flush()
        with self._job.failing():
            self._on_end(self, error)

    def _flush(self) -> bool:
        data = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        with self._job.failing():
            return self.body is not None and self._job.going and self.body.take(self, data)
        return False
