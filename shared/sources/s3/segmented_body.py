"""A large object: segments filled by several streams, digested in order on a pool thread."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from shared.domain import Fetched
from shared.errors import (
    ContentMismatch,
    GiveUp,
    NotAnObjectStore,
    ObjectChanged,
    OutOfTime,
    RetryLater,
    SourceUnavailable,
    StorageFull,
)
from shared.injection_points import CrashPoint, injection_point
from shared.sources.digesting import DigestedPart
from shared.sources.s3 import evidence
from shared.sources.s3.connections import Connections
from shared.sources.s3.evidence import Evidence
from shared.sources.s3.habits import Habits
from shared.sources.s3.job import Job
from shared.sources.s3.object_head import ObjectHead
from shared.sources.s3.segments import SEGMENT_BYTES, Segments
from shared.sources.s3.stream import Stream

DIGEST_BYTES = 4 * 1024 * 1024
"""How far the digests may lag before a pool thread is told to catch up."""

BREAKS_ALLOWED = 3
"""Connections of one attempt that may break; then the object waits for its next attempt."""


class SegmentedBody:
    """The part of a large object; everything but `_digest` runs on the transport's thread.

    The streams are pinned to one version of the object by `If-Match`. Where the store does not
    honor that, or ranges, one plain stream brings the rest.

    Args:
        job: the download.
        connections: its streams.
        habits: of the endpoint.
        part: its file.
        on_end: called with the end of each stream that is opened here.
        proven: bytes at the beginning that an earlier attempt has fetched.
        divisible: whether the store honors ranges and has an ETag to pin them to.
        segment: bytes of a segment.
    """

    def __init__(
        self,
        job: Job,
        connections: Connections,
        habits: Habits,
        part: DigestedPart,
        on_end: Callable[[Stream, RetryLater | None], None],
        *,
        proven: int = 0,
        divisible: bool = True,
        segment: int = SEGMENT_BYTES,
    ) -> None:
        self._job, self._connections, self._habits, self._part = job, connections, habits, part
        self._on_end = on_end
        self._divisible = divisible
        self._plain_due = False
        self._segments = Segments(part.size, proven, segment)
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

    def on_condition_failed(self, stream: Stream) -> None:
        """Continue after a 412 or 416: it may be the store that compares ETags by rules of its own.

        Raises:
            ObjectChanged: it came for the plain stream.
        """
        if stream.plain:
            raise ObjectChanged(str(stream.status))
        self._start_plain(stream)

    def give_back(self, stream: Stream) -> None:
        """Hand out again what is missing of the segment of a stream that has ended."""
        if stream.position < stream.end:
            self._segments.give_back(stream.first)

    def advance(self) -> None:
        """Open the streams, and start the digesting, that are due."""
        if not self._job.going:
            return
        while self._divisible and not self._segments.exhausted and self._connections.may_open():
            first, end = self._segments.take() or (0, 0)
            stream = Stream(self._job, self._check_range, self._on_end, (first, end))
            pinned = f'If-Match: "{self._part.etag}"'
            self._connections.open(stream, f"Range: bytes={first}-{end - 1}", pinned)
        if self._plain_due and not self._connections.running:
            self._connections.open(Stream(self._job, self._take_whole, self._on_end))
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
        """Take the head of a range.

        ======  ==============  ==================  =====================================
        status  Content-Range   Content-Length      what comes
        ======  ==============  ==================  =====================================
        206     as requested    any                 the range
        200     as requested    as requested        the range, of `rclone serve s3`
        200     none            the object's        the whole object: it goes on as plain
        other   …               …                   a plain GET is sent
        ======  ==============  ==================  =====================================
        """
        headers, wanted = stream.headers, stream.end - stream.first
        if evidence.of_object(headers) is Evidence.NONE:
            raise NotAnObjectStore(evidence.described(stream.status, headers))
        head = ObjectHead.of(headers)
        if head.etag is not None and head.etag != self._part.etag:
            raise ObjectChanged("the range has another ETag")
        expected = f"bytes {stream.first}-{stream.end - 1}/{self._part.size}"
        came = headers.get("content-range", "").strip()
        if (
            head.etag is not None
            and came == expected
            and (stream.status == HTTPStatus.PARTIAL_CONTENT or head.size == wanted)
        ):
            stream.body = self
            return True
        if stream.status == HTTPStatus.OK and not came and head.etag is not None:
            return self._take_whole(stream)
        self._start_plain(stream)
        return False

    def _start_plain(self, failed: Stream) -> None:
        """Replace all streams by a plain one."""
        self._divisible = False  # so what is kept could not be continued there
        failed.released = True
        for stream in self._connections.running:
            stream.released = True
        self._plain_due = True
        self._job.later(self._abort_released)

    def _abort_released(self) -> None:
        self._connections.abort(released_alone=True)
        self.advance()

    def _take_whole(self, stream: Stream) -> bool:
        """Let the whole object that comes go on as the only stream, if it is the same version."""
        head = ObjectHead.of(stream.headers)
        if evidence.of_object(stream.headers) is Evidence.NONE:
            raise NotAnObjectStore(evidence.described(stream.status, stream.headers))
        if stream.status != HTTPStatus.OK:
            raise SourceUnavailable("it sends a part where the whole object was asked for")
        if head.etag != self._part.etag or head.size not in {None, self._part.size}:
            raise ObjectChanged("its ETag or size is another")
        self._habits.ranges_failed()
        self._divisible = self._plain_due = False
        for other in self._connections.running:
            other.released = other is not stream
        self._job.later(self._abort_released)
        # What is there without a gap may be digested already, and is not written again.
        stream.plain, stream.position = True, 0
        stream.first, stream.end = self._segments.take_rest()
        stream.body = self
        return True

    def _fill(self, stream: Stream, data: bytes) -> bool:
        segments = self._segments
        if stream.position < stream.first:
            known = data[: stream.first - stream.position]
            stream.position += len(known)
            data = data[len(known) :]
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
