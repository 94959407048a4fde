"""The copy of one object: its requests, its part file, its digests, its outcome.

Everything but `_digest`, `_close` and `_aim_again` runs on the transport's thread. One plain GET
comes first: its headers name the version, the size and the checksums. A small object is written
and digested as it arrives. For a large one that GET goes on as the first of several streams, each
filling segments pinned to the version by `If-Match`, while a pool thread digests the file behind
them, in order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from shared.domain import Fetched, Wanted
from shared.errors import (
    ContentMismatch,
    GiveUp,
    ObjectChanged,
    RetryLater,
    SourceUnavailable,
    StorageFull,
    TransferError,
)
from shared.injection_points import CrashPoint, injection_point
from shared.sources.digesting import Follower
from shared.sources.part_file import PartFile
from shared.sources.s3 import refusals
from shared.sources.s3.aim import Aim
from shared.sources.s3.checksums import Check, best_check
from shared.sources.s3.host import Host
from shared.sources.s3.segments import Segments
from shared.sources.s3.stream import OK, PARTIAL, Stream
from shared.storage.os_errors import from_os_error

logger = logging.getLogger(__name__)

INLINE_BYTES = 1024 * 1024
"""Objects up to here are digested as they arrive: handing them over would cost more."""

PUMP_BYTES = 4 * 1024 * 1024
"""How far the digests may lag before a pool thread is asked to catch up."""

STREAM_LIMIT = 4
"""Parallel ranges of one object."""

FAST_STREAM = 100_000_000
"""Bytes a second. A stream as fast as this is alone quicker than several; a slower one gets
company. S3 gives a connection about 85 MB/s (AWS S3 user guide, "Performance guidelines")."""

BREAKS_ALLOWED = 3
"""Connections of one attempt that may break; then the object waits for its next attempt."""


class Copy:
    """One object on its way into its part file.

    Args:
        host: the source.
        wanted: the object.
        path: of the part file.
        aim: where the object is.
    """

    def __init__(self, host: Host, wanted: Wanted, path: Path, aim: Aim) -> None:
        self.wanted = wanted
        self._host, self._path, self._aim = host, path, aim
        self._follower: Follower | None = None  # from the first headers on
        self._ranges: Segments | None = None  # None for what is digested as it arrives
        self._streams: list[Stream] = []
        self._divisible = True  # ranges may be asked for
        self._company = 1  # streams that it may have at once
        self._measured_at = 0.0
        self._undigested = 0
        self._breaks = 0
        self._moved = False
        self._busy = 0  # pool threads at work for it
        self._digesting = False
        self._over = False
        self._failure: BaseException | None = None
        self._fetched: Fetched | None = None

    def start(self) -> None:
        """Sends the first request."""
        try:
            if self._follower is None and self.wanted.attempt > 1:
                self._resume()
            if self._ranges is None:
                self._send(Stream(self, None, borrowed=False), [])
            else:
                self._advance()
        except (OSError, TransferError) as error:
            self.stop(error)
        except Exception:  # a copy that never ends would hold its place for ever
            logger.exception("fault in a copy", extra={"row_id": self.wanted.row_id})
            self.stop(SourceUnavailable("fault in the worker, see its log"))

    def stop(self, why: BaseException) -> None:
        """Ends the copy soon, wherever it is; the source is told of the first reason."""
        if self._failure is None:
            self._failure = from_os_error(why) if isinstance(why, OSError) else why
            self._host.soon(self._wind_up)

    def on_head(self, stream: Stream) -> bool:
        """Takes the headers of a 200 or 206."""
        if not stream.plain:
            return self._check_range(stream)
        length = stream.headers.get("content-length", "")
        if stream.status != OK or not length.isdecimal():
            raise SourceUnavailable("it does not say the size of the object")
        tag = stream.headers.get("etag", "")
        self._divisible = tag.startswith('"') and stream.headers.get("accept-ranges") == "bytes"
        etag = tag.removeprefix("W/").strip('"') or None
        part = PartFile.create(self._path)
        self._begin(part, int(length), etag, best_check(stream.headers))
        stream.end = int(length)
        if self._ranges is not None:
            stream.first, stream.end = self._ranges.take() or (0, stream.end)
        return True

    def on_body(self, stream: Stream, data: bytes) -> bool:
        """Takes bytes of the object; False once the stream has nothing left to do."""
        if self._follower is None or self._failure is not None:
            return False
        if self._ranges is None:
            self._follower.take(data)
            stream.position += len(data)
            injection_point(CrashPoint.MID_DOWNLOAD)
            return True
        self._undigested += len(data)
        if self._undigested >= PUMP_BYTES:
            self._consider_company()
            self._undigested = 0
            self._digest_if_due()
        return self._fill(stream, self._follower, self._ranges, data)

    def on_end(self, stream: Stream, error: RetryLater | None) -> None:
        """Looks at how a stream ended, and goes on."""
        self._drop(stream)
        if self._failure is not None:
            return
        if error is None and stream.status not in {OK, PARTIAL}:
            self._refused(stream)
            return
        if not stream.stopped and (error is not None or stream.position < stream.end):
            self._broken(stream, error or ContentMismatch("the body was cut short"))
        self._advance()

    def _resume(self) -> None:
        part = PartFile.resume(self._path, self.wanted.row_id, self.wanted.attempt)
        if part is not None and part.journal is not None:
            known = part.journal
            self._begin(part, known.size, known.etag, known.check, known.proven)

    def _begin(
        self, part: PartFile, size: int, etag: str | None, check: Check | None, proven: int = 0
    ) -> None:
        self._follower = Follower(part, size, etag, check, self._part_size)
        if size > INLINE_BYTES or not self._follower.inline:
            self._ranges = Segments(size, proven)
            self._measured_at = self._host.clock()

    def _part_size(self, number: int) -> tuple[int, int]:
        return self._host.part_size(self.wanted.file_name, number)

    def _check_range(self, stream: Stream) -> bool:
        if stream.status == OK:
            self._divisible = False  # so what is kept could not be continued there
            raise SourceUnavailable("it does not honour ranges")
        if self._follower is None:
            return False
        expected = f"bytes {stream.first}-{stream.end - 1}/{self._follower.size}"
        if stream.headers.get("content-range", "").strip() != expected:
            raise ObjectChanged("it answered another range than asked for")
        if stream.headers.get("etag", "").strip('"') != self._follower.etag:
            raise ObjectChanged("the range has another ETag")
        return True

    def _fill(self, stream: Stream, follower: Follower, ranges: Segments, data: bytes) -> bool:
        while data:
            piece = data[: stream.end - stream.position]
            data = data[len(piece) :]
            follower.write(stream.position, piece)
            stream.position += len(piece)
            ranges.fill(stream.first, stream.position)
            injection_point(CrashPoint.MID_DOWNLOAD)
            if stream.position == stream.end and stream.end < ranges.size and stream.plain:
                following = ranges.take_at(stream.end)
                if following is None:  # another stream has it
                    stream.stopped = True
                    return False
                stream.first, stream.end = following
            elif data and stream.position == stream.end:
                raise ContentMismatch("the body is longer than announced")
        return True

    def _refused(self, stream: Stream) -> None:
        region = refusals.region_of(stream.status, stream.headers, stream.document)
        if region and not self._moved and region != self._aim.signing.region:
            self._moved = True
            if self._ranges is not None:
                self._ranges.give_back(stream.first)
            self._work(lambda: self._aim_again(region), self._aimed)
            return
        grace = self._host.within_grace(self.wanted)
        self.stop(refusals.refusal(stream.status, stream.document, within_grace=grace))

    def _aim_again(self, region: str) -> None:
        try:
            self._aim = self._host.aim(self.wanted.file_name, region)
        except TransferError as error:
            self.stop(error)

    def _aimed(self) -> None:
        if self._failure is None:
            self.start()

    def _broken(self, stream: Stream, error: RetryLater) -> None:
        if self._ranges is None or not self._divisible or self._breaks >= BREAKS_ALLOWED:
            raise error
        self._breaks += 1
        if stream.position < stream.end:
            self._ranges.give_back(stream.first)

    def _drop(self, stream: Stream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
            if stream.borrowed:
                self._host.return_stream()

    def _send(self, stream: Stream, headers: list[str]) -> None:
        self._streams.append(stream)
        self._host.get(self._aim, ["x-amz-checksum-mode: ENABLED", *headers], stream)

    def _advance(self) -> None:
        follower = self._follower
        if self._failure is not None or self._over:
            return
        if follower is None:
            raise SourceUnavailable("it gave no object")
        if self._ranges is None:
            self._fetched = follower.finish()
            self._wind_up()
            return
        while not self._ranges.exhausted and (not self._streams or self._may_widen()):
            first, end = self._ranges.take() or (0, 0)
            stream = Stream(self, (first, end), borrowed=bool(self._streams))
            pinned = [f"Range: bytes={first}-{end - 1}", f'If-Match: "{follower.etag}"']
            self._send(stream, pinned)
        self._digest_if_due()

    def _consider_company(self) -> None:
        now = self._host.clock()
        seconds, self._measured_at = now - self._measured_at, now
        if self._divisible and self._undigested < FAST_STREAM * seconds * len(self._streams):
            self._company = min(self._company + 1, STREAM_LIMIT)
            self._host.soon(self._advance)

    def _may_widen(self) -> bool:
        return len(self._streams) < self._company and self._host.borrow_stream()

    def _digest_if_due(self) -> None:
        if self._digesting or self._ranges is None or self._follower is None:
            return
        frontier = self._ranges.frontier
        if frontier - self._follower.position >= PUMP_BYTES or frontier == self._ranges.size:
            self._digesting = True
            self._work(lambda: self._digest(frontier), self._digested)

    def _digest(self, frontier: int) -> None:
        try:
            if self._follower is not None:
                self._fetched = self._follower.digest(frontier, lambda: self._failure is None)
        except (OSError, TransferError) as error:
            self.stop(error)
        except Exception:
            logger.exception("fault while digesting", extra={"row_id": self.wanted.row_id})
            self.stop(SourceUnavailable("fault in the worker, see its log"))

    def _digested(self) -> None:
        self._digesting = False
        if self._fetched is not None:
            self._wind_up()
        elif self._failure is None:
            self._digest_if_due()

    def _work(self, on_pool: Callable[[], None], then: Callable[[], None]) -> None:
        def back() -> None:
            self._busy -= 1
            then()
            if self._failure is not None:
                self._wind_up()

        self._busy += 1
        self._host.work(on_pool, back)

    def _wind_up(self) -> None:
        """Ends the copy once nothing works for it any more."""
        for stream in list(self._streams):
            self._host.abort(stream)
            self._drop(stream)
        if self._busy or self._over:
            return
        self._over = True
        if self._ranges is None or self._failure is None:
            self._close()
            self._report()
        else:
            self._host.work(self._close, self._report)

    def _report(self) -> None:
        outcome = self._failure or self._fetched or SourceUnavailable("it gave no object")
        self._host.ended(self, outcome)

    def _close(self) -> None:
        """Closes the part; it is worth continuing if its object is the same, and there is room."""
        hopeless = isinstance(self._failure, ObjectChanged | StorageFull | GiveUp)
        try:
            if self._follower is not None:
                worth = self._divisible and not hopeless
                self._follower.close(complete=self._failure is None, worth=worth)
        except OSError as error:
            self._failure = self._failure or from_os_error(error)
