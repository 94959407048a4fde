"""The download of one object: its first request, its region, its outcome.

One plain GET comes first: its headers name the version, the size and the checksums, and prove that
this is an object store. A small object is written and digested as it arrives (`InlineBody`). For a
large one that GET continues as the first of several streams (`SegmentedBody`). One whose size is
not named is streamed to its end (`UnsizedBody`). Where its headers leave a doubt whether this is an
object store, a control request is sent beside the GET of a small object, and before that of any
other, of which a part might be kept (`Controls`). A part that an earlier attempt has left is
continued without a plain GET. Where a file is in place, that GET has a condition first.

Everything runs on the transport's thread, except for what `Job.run` takes to the pool.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

from shared.domain import Fetched, StoredCopy, Wanted
from shared.errors import (
    ContentMismatch,
    NotAnObjectStore,
    RetryLater,
    SourceUnavailable,
    TransferError,
)
from shared.sources.comparison import Comparison
from shared.sources.digesting import DigestedPart
from shared.sources.digests import Check
from shared.sources.part_file import PartFile
from shared.sources.s3 import evidence, refusals
from shared.sources.s3.conditional import ConditionalRequest, is_sendable
from shared.sources.s3.connections import Connections
from shared.sources.s3.evidence import Evidence
from shared.sources.s3.inline_body import INLINE_BYTES, InlineBody
from shared.sources.s3.job import Job
from shared.sources.s3.location import SignedUrl
from shared.sources.s3.metadata import metadata
from shared.sources.s3.object_head import ObjectHead
from shared.sources.s3.remedies import Kind, Remedy, remedy_for
from shared.sources.s3.resources import Resources
from shared.sources.s3.segmented_body import SegmentedBody
from shared.sources.s3.segments import SEGMENT_BYTES
from shared.sources.s3.stream import Stream
from shared.sources.s3.transport import CONTENT
from shared.sources.s3.unreadable import unreadable
from shared.sources.s3.unsized_body import UnsizedBody

CONDITION_FAILED = frozenset(
    {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
)


class Download:
    """One object on its way into its part file.

    Args:
        resources: what it shares with the other downloads.
        wanted: the object.
        path: of the part file.
        target: the object's URL.
        within_grace: whether the object may yet become visible where it is missing.
        on_outcome: called once, on the transport's thread, when nothing works for the download
            any more; the error is one of the service.
    """

    def __init__(
        self,
        resources: Resources,
        wanted: Wanted,
        path: Path,
        target: SignedUrl,
        on_outcome: Callable[[Download, Fetched | BaseException], None],
        *,
        within_grace: bool,
    ) -> None:
        self._resources, self._wanted, self._path = resources, wanted, path
        self._within_grace = within_grace
        self._on_outcome = on_outcome
        self._job = Job(resources, wanted.row_id, self._wind_up)
        self._connections = Connections(resources, target)
        self._body: InlineBody | SegmentedBody | UnsizedBody | None = None  # no head has come yet
        self._next_step: Callable[[], None] | None = None
        self._controlled = self._gzip_tried = False
        self._stored = wanted.stored  # None once it was asked whether it has changed
        self._tried: set[Kind] = set()  # remedies, since content came last
        self._remedying = False
        self._over = False

    def start(self) -> None:
        """Send the first request, or the next one that begins anew."""
        self._wanted.progress.begun = True
        with self._job.failing():
            stored, self._stored = self._stored, None
            if stored is not None and self._send_conditional(stored):
                return
            self._resume()
            if isinstance(self._body, SegmentedBody):
                self._body.advance()
            else:
                self._connections.open(Stream(self._job, self._begin, self._on_end))

    def stop(self, error: BaseException) -> None:
        """End the download soon, with this error unless it has failed already."""
        self._job.fail(error)

    def _send_conditional(self, stored: StoredCopy) -> bool:
        """Request the object unless it is the file in place; return False where that cannot be."""
        reader = self._resources.reader
        if reader is None or not is_sendable(stored.etag):
            return False
        request = ConditionalRequest(
            self._job,
            self._connections,
            self._wanted,
            stored,
            reader,
            on_content=self._begin_changed,
            on_end=self._on_end,
            otherwise=self.start,
        )
        request.send()
        return True

    def _begin_changed(self, stream: Stream) -> bool:
        """Take the head of the object, unless what an earlier attempt has left can be continued."""
        self._resume()
        return self._begin(stream) if self._body is None else self._end_and(self.start)

    def _resume(self) -> None:
        """Take over the part of an earlier attempt, if there is one that can be continued."""
        wanted = self._wanted
        if self._body is not None or wanted.attempt == 1 or not self._resources.habits.ranges:
            return
        part = PartFile.resume(self._path, wanted.row_id, wanted.attempt, wanted.progress)
        if part is not None and part.journal is not None:
            known = part.journal
            digested = self._digested(part, known.size, known.etag, known.check)
            self._body = self._segmented(digested, proven=known.proven)

    def _begin(self, stream: Stream) -> bool:
        """Take the head of the plain GET."""
        head, proof = ObjectHead.of(stream.headers), evidence.of_object(stream.headers)
        if proof is Evidence.NONE:
            raise NotAnObjectStore(evidence.described(stream.status, stream.headers))
        if stream.status != HTTPStatus.OK:
            raise SourceUnavailable("it sends a part where the whole object was asked for")
        if self._wants_other_encoding(head):
            return self._end_and(self.start)
        if proof is Evidence.DOUBTFUL and not self._controlled:
            if not self._is_at_once(head):
                return self._end_and(lambda: self._control(self._go_on))
            self._job.hold()
            self._control()
        return self._take(stream, head)

    def _is_at_once(self, head: ObjectHead) -> bool:
        """Return whether the GET brings all, and nothing of it is kept if the download fails."""
        return self._is_inline(head) and not self._is_compared(head)

    def _is_inline(self, head: ObjectHead) -> bool:
        """Return whether an object is small, and digested without the sizes of its parts."""
        parts = head.check.parts if head.check is not None else 0
        return head.size is not None and head.size <= INLINE_BYTES and parts <= 1

    def _take(self, stream: Stream, head: ObjectHead) -> bool:
        """Begin the body."""
        file = PartFile.create(self._path, self._wanted.progress)
        if head.size is None:
            stream.body = self._body = UnsizedBody(
                self._job,
                file,
                lambda size: self._digested(
                    file, size, head.etag, head.check, framed=head.framed or self._is_all(size)
                ),
            )
            return True
        part = self._digested(file, head.size, head.etag, head.check)
        stream.end = head.size
        divisible = head.divisible and self._resources.habits.ranges
        if divisible and self._is_compared(head):
            # In other pieces than before: what spoils each response is then spoiled elsewhere.
            attempt = self._wanted.attempt
            segment = min(SEGMENT_BYTES, head.size) * attempt // (attempt + 1)
            self._body = self._segmented(part, segment=segment)
            return self._end_and(self._body.advance)
        if self._is_inline(head):
            stream.body = self._body = InlineBody(self._job, part)
        else:
            stream.body = self._body = self._segmented(part, divisible=divisible)
            self._body.adopt(stream)
        return True

    def _wants_other_encoding(self, head: ObjectHead) -> bool:
        """Return whether another request may bring what is stored, and prepare it.

        What a store decompresses for others it sends as it is where gzip is allowed, with its
        length. A body in gzip without one may have been compressed on the way.
        """
        if not self._gzip_tried and head.decoded:
            self._gzip_tried = self._connections.gzip = True
            return True
        if self._connections.gzip and head.compressed_on_the_way:
            self._connections.gzip = False
            return True
        return False

    def _is_compared(self, head: ObjectHead) -> bool:
        earlier = self._wanted.unproven
        return (
            earlier is not None
            and (earlier.etag, earlier.size) == (head.etag, head.size)
            and earlier.size > 1
            and not (head.check is not None and head.check.decisive)
        )

    def _digested(
        self,
        file: PartFile,
        size: int,
        etag: str | None,
        check: Check | None,
        *,
        framed: bool = True,
    ) -> DigestedPart:
        comparison = Comparison(self._resources.etag_mismatch, self._wanted.unproven)
        return DigestedPart(file, size, etag, check, self._part_size, comparison, framed=framed)

    @property
    def _part_size(self) -> Callable[[int], tuple[int, int]]:
        return partial(self._resources.location.part_size, self._wanted.file_name)

    def _is_all(self, size: int) -> bool:
        """Return whether a body whose end was not marked is whole, as far as a HEAD tells; blocks.

        Raises:
            ContentMismatch: it was cut.
        """
        try:
            told, parts = self._part_size(1)
        except SourceUnavailable:
            return False
        if parts <= 1 and size < told:
            raise ContentMismatch(f"{size} of {told} bytes came")
        return parts <= 1 and size == told

    def _segmented(
        self,
        part: DigestedPart,
        *,
        proven: int = 0,
        divisible: bool = True,
        segment: int = SEGMENT_BYTES,
    ) -> SegmentedBody:
        return SegmentedBody(
            self._job,
            self._connections,
            self._resources.habits,
            part,
            self._on_end,
            proven=proven,
            divisible=divisible,
            segment=segment,
        )

    def _end_and(self, step: Callable[[], None]) -> bool:
        """End the plain GET whose head has come, and continue with another step."""
        self._next_step = step
        return False

    def _control(self, then: Callable[[], None] | None = None) -> None:
        """Send a control request; continue with another step once it has shown this to be a store.

        A download that is held is released then; it ends where this is none.
        """

        def on_outcome(error: Exception | None) -> None:
            if self._job.going:
                with self._job.failing():
                    self._job.release(error)
                    if then is not None:
                        then()

        self._resources.controls.ask(self._connections.target, on_outcome)

    def _go_on(self) -> None:
        self._controlled = True
        self.start()

    def _on_end(self, stream: Stream, error: RetryLater | None) -> None:
        self._connections.ended(stream)
        if not self._job.going:
            return
        if self._next_step is not None:
            step, self._next_step = self._next_step, None
            step()
        elif error is None and stream.status not in CONTENT and not stream.released:
            self._refused(stream)
        elif self._body is None:
            raise error or SourceUnavailable("no object came")
        else:
            self._tried.clear()
            self._body.on_end(stream, error)

    def _refused(self, stream: Stream) -> None:
        target = self._connections.target
        if self._remedying or stream.target is not target:  # it was sent before the remedy
            self._put_back(stream)
            if not self._remedying:
                self.start()
            return
        refusal = self._refusal(stream)
        remedy = remedy_for(
            self._resources.location, target, stream.status, stream.headers, stream.document
        )
        if remedy is not None and remedy.kind not in self._tried:
            self._put_back(stream)
            self._tried.add(remedy.kind)
            self._remedying = True
            self._job.run(lambda: self._remedy(remedy, refusal), self._start_again)
        elif stream.status in CONDITION_FAILED and isinstance(self._body, SegmentedBody):
            self._body.on_condition_failed(stream)
        else:
            raise refusal

    def _refusal(self, stream: Stream) -> TransferError:
        status, document = stream.status, stream.document
        if not evidence.is_refusal(status, stream.headers, document):
            return NotAnObjectStore(evidence.described(status, stream.headers))
        return unreadable(status, document) or refusals.refusal(
            status, document, within_grace=self._within_grace
        )

    def _put_back(self, stream: Stream) -> None:
        if isinstance(self._body, SegmentedBody):
            self._body.give_back(stream)

    def _remedy(self, remedy: Remedy, refusal: TransferError) -> None:
        if not remedy.apply():
            raise refusal
        location = self._resources.location
        self._connections.target = location.signed_url(self._wanted.file_name)

    def _start_again(self) -> None:
        self._remedying = False
        if self._job.going:
            self.start()

    def _wind_up(self) -> None:
        """End the streams, then close the part once no pool thread works for the download."""
        self._connections.abort()
        if self._over or not self._job.idle:
            return
        self._over = True
        if isinstance(self._body, SegmentedBody | UnsizedBody):
            # It may have to read back what is proven, and NFS writes out what is closed.
            self._resources.run(self._close, self._report)
        else:
            self._close()
            self._report()

    def _close(self) -> None:
        try:
            if self._body is not None:
                self._body.close(self._job.failure)
        except OSError as error:
            self._job.fail(error)
        self._job.discard_held()

    def _report(self) -> None:
        outcome = self._job.failure or self._job.fetched or SourceUnavailable("no object came")
        if isinstance(outcome, Fetched):
            outcome = outcome.with_metadata(metadata(self._connections.head))
        self._on_outcome(self, outcome)
