"""A large object: segments filled by several streams, digested in order on a pool thread."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from shared.domain import Fetched
from shared.errors import (
    ContentMismatch,
    GiveUp,
    ObjectChanged,
    OutOfTime,
    RetryLater,
    SourceUnavailable,
    StorageFull,
)
from shared.injection_points import CrashPoint, injection_point
from shared.sources.digesting import DigestedPart
from shared.sources.s3.connections import Connections
from shared.sources.s3.job import Job
from shared.sources.s3.segments import Segments
from shared.sources.s3.stream import Stream

DIGEST_BYTES = 4 * 1024 * 1024
"""How far the digests may lag before a pool thread is told to catch up."""

BREAKS_ALLOWED = 3
"""Connections of one attempt that may break; then the object waits for its next attempt."""


class SegmentedBody:
    """The part of a large object; everything but `_digest` runs on the transport's thread.

    The streams are pinned to one version of the object by `If-Match`.

    Args:
        job: the download.
        connections: its streams.
        part: its file.
        on_end: called with the end of each stream that is opened here.
        proven: bytes at the beginning that an earlier attempt has fetched.
        divisible: whether the store honors ranges and has an ETag to pin them to.
    """

    def __init__(
        self,
        job: Job,
        connections: Connections,
        part: DigestedPart,
        on_end: Callable[[Stream, RetryLater | None], None],
        *,
        proven: int = 0,
        divisible: bool = True,
    ) -> None:
        self._job, self._connections, self._part = job, connections, part
        self._on_end = on_end
        self._divisible = divisible
        self._segments = Segments(part.size, proven)
        self._received = 0  # since the speed was measured last
        self._breaks = 0
        self._digesting = False
        connections.start_measuring()

    def adopt(self, stream: Stream) -> None:
        """Let the plain GET, whose head has come, go on as the first stream."""
        stream.first, stream.end = self._segments.take() or (0, 0)

    def take(self, stream: Stream, data: bytes) -> bool:
        """See `Body`."""
        self._received += len(data)
        if self._received >= DIGEST_BYTES:
            if self._divisible and self._connections.received(self._received):
                self._job.later(self.advance)
            self._received = 0
            self._digest_if_due()
        return self._fill(stream, data)

    def on_end(self, stream: Stream, error: RetryLater | None) -> None:
        """Continue after the end of a stream.

        Raises:
            RetryLater: the stream broke, and this attempt cannot go on.
        """
        if not stream.released and (error is not None or stream.position < stream.end):
            if not self._divisible or self._breaks >= BREAKS_ALLOWED:
                raise error or ContentMismatch("the body was cut short")
            self._breaks += 1
            self.give_back(stream)
        self.advance()

    def give_back(self, stream: Stream) -> None:
        """Hand out again what is missing of the segment of a stream that has ended."""
        if stream.position < stream.end:
            self._segments.give_back(stream.first)

    def advance(self) -> None:
        """Open the streams, and start the digesting, that are due."""
        if not self._job.going:
            return
        while not self._segments.exhausted and self._connections.may_open():
            first, end = self._segments.take() or (0, 0)
            stream = Stream(self._job, self._check_range, self._on_end, (first, end))
            pinned = f'If-Match: "{self._part.etag}"'
            self._connections.open(stream, f"Range: bytes={first}-{end - 1}", pinned)
        self._digest_if_due()

    def close(self, failure: BaseException | None) -> None:
        """Close the part; keep it where it is complete, or a later attempt can continue it.

        Raises:
            OSError: the storage refuses.
        """
        hopeless = isinstance(failure, ObjectChanged | StorageFull | GiveUp)
        resumable = self._divisible and not hopeless
        interrupted = isinstance(failure, OutOfTime)
        if resumable and interrupted:
            self._part.catch_up(self._segments.frontier)
        self._part.close(complete=failure is None, resumable=resumable, interrupted=interrupted)

    def _check_range(self, stream: Stream) -> bool:
        if stream.status == HTTPStatus.OK:
            self._divisible = False  # so what is kept could not be continued there
            raise SourceUnavailable("it does not honor ranges")
        expected = f"bytes {stream.first}-{stream.end - 1}/{self._part.size}"
        if stream.headers.get("content-range", "").strip() != expected:
            raise ObjectChanged("another range came than was requested")
        if stream.headers.get("etag", "").strip('"') != self._part.etag:
            raise ObjectChanged("the range has another ETag")
        stream.body = self
        return True

    def _fill(self, stream: Stream, data: bytes) -> bool:
        segments = self._segments
        while data:
            piece = data[: stream.end - stream.position]
            data = data[len(piece) :]
            self._part.write(stream.position, piece)
            stream.position += len(piece)
            segments.fill(stream.first, stream.position)
            injection_point(CrashPoint.MID_DOWNLOAD)
            if stream.position == stream.end and stream.end < segments.size and stream.plain:
                following = segments.take_at(stream.end)
                if following is None:  # another stream has it
                    stream.released = True
                    return False
                stream.first, stream.end = following
            elif data and stream.position == stream.end:
                raise ContentMismatch("the body is longer than its Content-Length")
        return True

    def _digest_if_due(self) -> None:
        if self._digesting:
            return
        frontier = self._segments.frontier
        if frontier - self._part.position >= DIGEST_BYTES or frontier == self._segments.size:
            self._digesting = True
            outcome: list[Fetched | None] = []
            self._job.run(
                lambda: outcome.append(self._digest(frontier)),
                lambda: self._digested(outcome),
            )

    def _digest(self, frontier: int) -> Fetched | None:
        return self._part.digest(frontier, lambda: self._job.going)

    def _digested(self, outcome: list[Fetched | None]) -> None:
        self._digesting = False
        fetched = outcome[0] if outcome else None
        if fetched is not None:
            self._job.succeed(fetched)
        elif self._job.going:
            self._digest_if_due()
