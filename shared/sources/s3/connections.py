"""The requests of one download, and how many of them may run at once."""

from __future__ import annotations

from shared.sources.s3.location import SignedUrl
from shared.sources.s3.resources import Resources
from shared.sources.s3.stream import Stream
from shared.sources.s3.transport import CHECKSUMS_WANTED, CONTENT

STREAM_LIMIT = 4
"""Parallel ranges of one object."""

FAST_STREAM = 100_000_000
"""Bytes per second. A stream as fast as this is alone quicker than several; a slower one gets
company. S3 gives a connection about 85 MB/s (AWS S3 user guide, "Performance guidelines")."""


class Connections:
    """The running streams of one download.

    One connection is the download's own, further ones are borrowed from the source's budget.

    Args:
        resources: the transport and the budget.
        target: the object; it may be replaced.

    Attributes:
        head: headers of a stream with content that has ended.
        gzip: whether requests allow a body in gzip: a store that decompresses objects for all
            others then sends what is stored.
    """

    def __init__(self, resources: Resources, target: SignedUrl) -> None:
        self.target = target
        self.head: dict[str, str] = {}
        self.gzip = False
        self._resources = resources
        self._borrowed: dict[Stream, bool] = {}  # each running stream
        self._limit = 1
        self._measured_at = 0.0

    def may_open(self) -> bool:
        """Return whether one more stream may run, having borrowed a connection where needed."""
        if not self._borrowed:
            return True
        return len(self._borrowed) < self._limit and self._resources.spare.borrow()

    @property
    def running(self) -> list[Stream]:
        """The streams whose ends have not come."""
        return list(self._borrowed)

    def open(self, stream: Stream, *headers: str) -> None:
        """Send a stream's request; see `Transport.get` for where this may be called.

        Args:
            stream: takes the response.
            headers: more of them.
        """
        self._borrowed[stream] = bool(self._borrowed)
        stream.target = self.target
        wanted = [CHECKSUMS_WANTED, *self.target.headers, *headers]
        self._resources.transport.get(self.target, wanted, stream, gzip=self.gzip)

    def ended(self, stream: Stream) -> None:
        """Note that a stream has ended, and give back what it has borrowed."""
        if stream.status in CONTENT:
            self.head = stream.headers
        if self._borrowed.pop(stream, False):
            self._resources.spare.give_back()

    def abort(self, *, released_alone: bool = False) -> None:
        """End all streams; see `Transport.abort` for where this may be called.

        Args:
            released_alone: keep those that are of further use.
        """
        for stream in self.running:
            if stream.released or not released_alone:
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
