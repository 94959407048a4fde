"""The requests of one download, and how many of them may run at once."""

from __future__ import annotations

from shared.sources.s3.location import SignedUrl
from shared.sources.s3.resources import Resources
from shared.sources.s3.stream import Stream

STREAM_LIMIT = 4
"""Parallel ranges of one object."""

FAST_STREAM = 100_000_000
"""Bytes per second. A stream as fast as this is alone quicker than several; a slower one gets
company. S3 gives a connection about 85 MB/s (AWS S3 user guide, "Performance guidelines")."""

CHECKSUMS_WANTED = "x-amz-checksum-mode: ENABLED"
"""S3 sends an object's checksums only when asked to."""


class Connections:
    """The running streams of one download.

    One connection is the download's own, further ones are borrowed from the source's budget.

    Args:
        resources: the transport and the budget.
        target: the object; it may be replaced.
    """

    def __init__(self, resources: Resources, target: SignedUrl) -> None:
        self.target = target
        self._resources = resources
        self._borrowed: dict[Stream, bool] = {}  # each running stream
        self._limit = 1
        self._measured_at = 0.0

    def may_open(self) -> bool:
        """Return whether one more stream may run, having borrowed a connection where needed."""
        if not self._borrowed:
            return True
        return len(self._borrowed) < self._limit and self._resources.spare.borrow()

    def open(self, stream: Stream, *headers: str) -> None:
        """Send a stream's request; see `Transport.get` for where this may be called."""
        self._borrowed[stream] = bool(self._borrowed)
        stream.target = self.target
        wanted = [CHECKSUMS_WANTED, *self.target.headers, *headers]
        self._resources.transport.get(self.target, wanted, stream)

    def ended(self, stream: Stream) -> None:
        """Note that a stream has ended, and give back what it has borrowed."""
        if self._borrowed.pop(stream, False):
            self._resources.spare.give_back()

    def abort(self) -> None:
        """End all streams; see `Transport.abort` for where this may be called."""
        for stream in list(self._borrowed):
            self._resources.transport.abort(stream)
            self.ended(stream)

    def start_measuring(self) -> None:
        """Begin to measure the speed, as `received` needs it."""
        self._measured_at = self._resources.clock()

    def received(self, count: int) -> bool:
        """Allow one more stream where the running ones are slow.

        Args:
            count: bytes that have come since the last call, or since the measuring began.

        Returns:
            Whether more streams are allowed than run now; there may be none to borrow.
        """
        now = self._resources.clock()
        seconds, self._measured_at = now - self._measured_at, now
        if count >= FAST_STREAM * seconds * len(self._borrowed):
            return False
        self._limit = min(self._limit + 1, STREAM_LIMIT)
        return True
