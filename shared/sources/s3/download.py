"""The download of one object: its first request, its region, its outcome.

One plain GET comes first: its headers name the version, the size and the checksums. A small
object is written and digested as it arrives (`InlineBody`). For a large one that GET continues as
the first of several streams (`SegmentedBody`). A part that an earlier attempt has left is
continued without a plain GET.

Everything runs on the transport's thread, except for what `Job.run` takes to the pool.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

from shared.domain import Fetched, Wanted
from shared.errors import RetryLater, SourceUnavailable, TransferError
from shared.sources.digesting import DigestedPart
from shared.sources.part_file import PartFile
from shared.sources.s3 import refusals
from shared.sources.s3.checksums import best_check
from shared.sources.s3.connections import Connections
from shared.sources.s3.inline_body import INLINE_BYTES, InlineBody
from shared.sources.s3.job import Job
from shared.sources.s3.location import SignedUrl
from shared.sources.s3.remedies import Kind, Remedy, remedy_for
from shared.sources.s3.resources import Resources
from shared.sources.s3.segmented_body import SegmentedBody
from shared.sources.s3.stream import CONTENT, Stream


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
        self._body: InlineBody | SegmentedBody | None = None  # until the first head has come
        self._tried: set[Kind] = set()  # remedies, since content came last
        self._remedying = False
        self._over = False

    def start(self) -> None:
        """Send the first request."""
        self._wanted.progress.begun = True
        with self._job.failing():
            if self._body is None and self._wanted.attempt > 1:
                self._resume()
            if isinstance(self._body, SegmentedBody):
                self._body.advance()
            else:
                self._connections.open(Stream(self._job, self._begin, self._on_end))

    def stop(self, error: BaseException) -> None:
        """End the download soon, with this error unless it has failed already."""
        self._job.fail(error)

    def _resume(self) -> None:
        wanted = self._wanted
        part = PartFile.resume(self._path, wanted.row_id, wanted.attempt, wanted.progress)
        if part is not None and part.journal is not None:
            known = part.journal
            digested = DigestedPart(part, known.size, known.etag, known.check, self._part_size)
            self._body = SegmentedBody(
                self._job, self._connections, digested, self._on_end, proven=known.proven
            )

    def _begin(self, stream: Stream) -> bool:
        """Take the head of the plain GET."""
        headers = stream.headers
        length, tag = headers.get("content-length", ""), headers.get("etag", "")
        if stream.status != HTTPStatus.OK or not length.isdecimal():
            raise SourceUnavailable("it does not send the size of the object")
        size, etag = int(length), tag.removeprefix("W/").strip('"') or None
        file = PartFile.create(self._path, self._wanted.progress)
        part = DigestedPart(file, size, etag, best_check(headers), self._part_size)
        stream.end = size
        if size <= INLINE_BYTES and part.inline:
            stream.body = self._body = InlineBody(self._job, part)
        else:
            divisible = tag.startswith('"') and headers.get("accept-ranges") == "bytes"
            stream.body = self._body = SegmentedBody(
                self._job, self._connections, part, self._on_end, divisible=divisible
            )
            self._body.adopt(stream)
        return True

    @property
    def _part_size(self) -> Callable[[int], tuple[int, int]]:
        return partial(self._resources.location.part_size, self._wanted.file_name)

    def _on_end(self, stream: Stream, error: RetryLater | None) -> None:
        self._connections.ended(stream)
        if not self._job.going:
            return
        if error is None and stream.status not in CONTENT:
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
        refusal = refusals.refusal(stream.status, stream.document, within_grace=self._within_grace)
        remedy = remedy_for(
            self._resources.location, target, stream.status, stream.headers, stream.document
        )
        if remedy is None or remedy.kind in self._tried:
            raise refusal
        self._put_back(stream)
        self._tried.add(remedy.kind)
        self._remedying = True
        self._job.run(lambda: self._remedy(remedy, refusal), self._start_again)

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
        if isinstance(self._body, SegmentedBody):
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

    def _report(self) -> None:
        outcome = self._job.failure or self._job.fetched or SourceUnavailable("no object came")
        self._on_outcome(self, outcome)
