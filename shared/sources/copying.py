"""The copy of one object: its requests, its part file, its digests, its outcome.

Everything but `_pump`, `_close` and `_aim_again` runs on the transport's thread. One plain GET
comes first: its headers name the version, the size and the checksums. A small object is written and
digested as it arrives. For a large one that GET goes on as the first of several streams, each
filling segments pinned to the version by `If-Match`, while a pool thread digests the file behind
them (`_pump`), in order.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from shared.disk_errors import from_os_error
from shared.errors import (
    ContentMismatch,
    GiveUp,
    ObjectChanged,
    SourceUnavailable,
    StorageFull,
    TransferError,
)
from shared.sources import answers
from shared.sources.checksums import best_check
from shared.sources.part_file import Journal, PartFile
from shared.sources.ranges import Ranges
from shared.sources.verifying import BUFFER_BYTES, Verifier
from shared.transfer import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.errors import RetryLater
    from shared.sources.aim import Aim
    from shared.sources.checksums import Check
    from shared.sources.transport import Receiver
    from shared.transfer import Wanted

logger = logging.getLogger(__name__)

INLINE_BYTES = 1024 * 1024
"""Objects up to here are digested as they arrive: handing them over would cost more."""

JOURNAL_BYTES = 64 * 1024 * 1024
"""How much may have to be fetched again after an interruption."""

PUMP_BYTES = 4 * 1024 * 1024
"""How far the digests may lag before a pool thread is asked to catch up."""

STREAM_LIMIT = 4
"""Parallel ranges of one object."""

FAST_STREAM = 100_000_000
"""Bytes a second. A stream as fast as this is alone quicker than several, which seek; one that is
slower gets company. S3 gives a connection about 85 MB/s (AWS, "Performance guidelines")."""

BREAKS_ALLOWED = 3
"""Connections of one attempt that may break; then the object waits for its next attempt."""

WRITE_BYTES = 256 * 1024
"""libcurl hands over 16 KiB at a time: so much is collected, per stream, for one write."""

OK, PARTIAL = 200, 206


class Host(Protocol):
    """What a copy needs of the source that it belongs to."""

    def get(self, aim: Aim, headers: list[str], receiver: Receiver) -> None:
        """Starts a request; not from within a receiver's `on_head` or `on_body`."""
        ...

    def abort(self, receiver: Receiver) -> None:
        """Ends a request silently; not from within those either."""
        ...

    def soon(self, function: Callable[[], None]) -> None:
        """Runs `function` on the transport's thread, after what is running there."""
        ...

    def work(self, function: Callable[[], None], then: Callable[[], None]) -> None:
        """Runs `function` on a pool thread and `then` back on the transport's."""
        ...

    def clock(self) -> float:
        """Gives seconds that only grow."""
        ...

    def borrow_stream(self) -> bool:
        """Asks for one more connection than the copy's own."""
        ...

    def return_stream(self) -> None:
        """Gives a borrowed connection back."""
        ...

    def part_size(self, key: str, number: int) -> tuple[int, int]:
        """Gives the size of a numbered part and the number of parts; may block."""
        ...

    def aim(self, key: str, region: str) -> Aim:
        """Gives URL and signing for another region; may block."""
        ...

    def within_grace(self, wanted: Wanted) -> bool:
        """Says whether a missing object may yet become visible."""
        ...

    def ended(self, copy: Copy, outcome: Fetched | BaseException) -> None:
        """Takes the outcome; the copy does nothing more."""
        ...


class _Stream:
    """One request of a copy.

    Args:
        copy: that it belongs to.
        segment: first byte and end, None for the plain GET until its headers have come.
        borrowed: it uses a connection beyond the copy's own.
    """

    def __init__(self, copy: Copy, segment: tuple[int, int] | None, *, borrowed: bool) -> None:
        self.copy = copy
        self.plain = segment is None
        self.borrowed = borrowed
        self.stopped = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.document = b""
        self.held: list[bytes] = []
        self.held_bytes = 0
        self.first, self.end = segment or (0, 0)
        self.position = self.first

    def on_head(self, status: int, headers: dict[str, str]) -> bool:
        self.status, self.headers = status, headers
        try:
            return status not in {OK, PARTIAL} or self.copy.on_head(self)
        except (OSError, TransferError) as error:
            self.copy.stop(error)
            return False

    def on_body(self, data: bytes) -> bool:
        if self.status not in {OK, PARTIAL}:
            if len(self.document) < answers.MAX_DOCUMENT_BYTES:
                self.document += data
            return True
        self.held.append(data)
        self.held_bytes += len(data)
        return self.held_bytes < WRITE_BYTES or self._flush()

    def _flush(self) -> bool:
        data = b"".join(self.held)
        self.held, self.held_bytes = [], 0
        try:
            return self.copy.on_body(self, data)
        except (OSError, TransferError) as error:
            self.copy.stop(error)
            return False

    def on_end(self, error: RetryLater | None) -> None:
        if self.held and not self.stopped:
            self._flush()
        try:
            self.copy.on_end(self, error)
        except (OSError, TransferError) as failure:
            self.copy.stop(failure)


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
        self._part: PartFile | None = None
        self._earlier: Journal | None = None
        self._check: Check | None = None
        self._etag: str | None = None
        self._verifier: Verifier | None = None
        self._ranges: Ranges | None = None  # None for what is digested as it arrives
        self._streams: list[_Stream] = []
        self._parallel = True
        self._company = 1  # streams that it may have at once
        self._measured_at = 0.0
        self._moved = False
        self._breaks = 0
        self._unpumped = 0
        self._saved = 0
        self._pumping = False
        self._tainted = False
        self._over = False
        self._failure: BaseException | None = None
        self._fetched: Fetched | None = None

    def start(self) -> None:
        """Sends the first request."""
        try:
            if self._part is None and self.wanted.attempt > 1:
                self._resume()
            if self._ranges is None:
                self._send(_Stream(self, None, borrowed=False), [])
            else:
                self._advance()
        except (OSError, TransferError) as error:
            self.stop(error)

    def stop(self, why: BaseException) -> None:
        """Ends the copy soon, wherever it is; the source is told of the first reason."""
        if self._failure is None:
            self._failure = from_os_error(why) if isinstance(why, OSError) else why
            self._host.soon(self._wind_up)

    def on_head(self, stream: _Stream) -> bool:
        """Takes the headers of a 200 or 206."""
        if not stream.plain:
            return self._check_range(stream)
        length = stream.headers.get("content-length", "")
        if stream.status != OK or not length.isdecimal():
            raise SourceUnavailable("it does not say the size of the object")
        size = int(length)
        self._part = PartFile.create(self._path)
        etag = stream.headers.get("etag", "").removeprefix("W/").strip('"') or None
        self._begin(size, etag, best_check(stream.headers), 0)
        stream.end = size
        if self._ranges is not None:
            stream.first, stream.end = self._ranges.take() or (0, size)
            self._parallel = etag is not None and stream.headers.get("accept-ranges") == "bytes"
        return True

    def on_body(self, stream: _Stream, data: bytes) -> bool:
        """Takes bytes of the object; False once the stream has nothing left to do."""
        if self._part is None or self._verifier is None or self._failure is not None:
            return False
        if self._ranges is None:
            self._part.write(stream.position, data)
            self._verifier.update(data)
            stream.position += len(data)
            return True
        self._unpumped += len(data)
        if self._unpumped >= PUMP_BYTES:
            self._consider_company()
            self._unpumped = 0
            self._pump_if_due()
        return self._fill(stream, self._part, self._ranges, data)

    def on_end(self, stream: _Stream, error: RetryLater | None) -> None:
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
        self._part = PartFile.resume(self._path, self.wanted.row_id, self.wanted.attempt)
        if self._part is not None and self._part.journal is not None:
            self._earlier = journal = self._part.journal
            self._saved = journal.proven
            self._begin(journal.size, journal.etag, journal.check, journal.proven)

    def _begin(self, size: int, etag: str | None, check: Check | None, proven: int) -> None:
        self._etag, self._check = etag, check
        self._verifier = Verifier(size, check, self._part_size)
        if size > INLINE_BYTES or not self._verifier.inline:
            self._ranges = Ranges(size, proven)
            self._measured_at = self._host.clock()

    def _part_size(self, number: int) -> tuple[int, int]:
        return self._host.part_size(self.wanted.file_name, number)

    def _check_range(self, stream: _Stream) -> bool:
        if stream.status == OK:
            self._tainted = True  # what is kept could not be continued there
            raise SourceUnavailable("it does not honour ranges")
        size = self._ranges.size if self._ranges else 0
        expected = f"bytes {stream.first}-{stream.end - 1}/{size}"
        if stream.headers.get("content-range", "").strip() != expected:
            raise ObjectChanged("it answered another range than asked for")
        if stream.headers.get("etag", "").strip('"') != self._etag:
            raise ObjectChanged("the range has another ETag")
        return True

    def _fill(self, stream: _Stream, part: PartFile, ranges: Ranges, data: bytes) -> bool:
        while data:
            piece = data[: stream.end - stream.position]
            data = data[len(piece) :]
            part.write(stream.position, piece)
            stream.position += len(piece)
            ranges.fill(stream.first, stream.position)
            if stream.position == stream.end and stream.end < ranges.size and stream.plain:
                following = ranges.take_at(stream.end)
                if following is None:  # another stream has it
                    stream.stopped = True
                    return False
                stream.first, stream.end = following
            elif data and stream.position == stream.end:
                raise ContentMismatch("the body is longer than announced")
        return True

    def _refused(self, stream: _Stream) -> None:
        region = answers.region_of(stream.status, stream.headers, stream.document)
        if region and not self._moved and region != self._aim.signing.region:
            self._moved = True
            self._pumping = True  # keeps the copy from being wound up meanwhile
            self._host.work(lambda: self._aim_again(region), self._aimed)
            return
        grace = self._host.within_grace(self.wanted)
        self.stop(answers.refusal(stream.status, stream.document, within_grace=grace))

    def _aim_again(self, region: str) -> None:
        try:
            self._aim = self._host.aim(self.wanted.file_name, region)
        except TransferError as error:
            self.stop(error)

    def _aimed(self) -> None:
        self._pumping = False
        if self._failure is None:
            self.start()
        else:
            self._wind_up()

    def _broken(self, stream: _Stream, error: RetryLater) -> None:
        ranges = self._ranges
        if ranges is None or not self._parallel or self._breaks >= BREAKS_ALLOWED:
            raise error
        self._breaks += 1
        if stream.position < stream.end:
            ranges.give_back(stream.first)

    def _drop(self, stream: _Stream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
            if stream.borrowed:
                self._host.return_stream()

    def _send(self, stream: _Stream, headers: list[str]) -> None:
        self._streams.append(stream)
        self._host.get(self._aim, ["x-amz-checksum-mode: ENABLED", *headers], stream)

    def _advance(self) -> None:
        if self._failure is not None or self._over:
            return
        if self._ranges is None:
            self._finish_inline()
            return
        while not self._ranges.exhausted and (not self._streams or self._may_widen()):
            first, end = self._ranges.take() or (0, 0)
            stream = _Stream(self, (first, end), borrowed=bool(self._streams))
            self._send(stream, [f"Range: bytes={first}-{end - 1}", f'If-Match: "{self._etag}"'])
        self._pump_if_due()

    def _consider_company(self) -> None:
        now = self._host.clock()
        seconds, self._measured_at = now - self._measured_at, now
        if self._parallel and self._unpumped < FAST_STREAM * seconds * len(self._streams):
            self._company = min(self._company + 1, STREAM_LIMIT)
            self._host.soon(self._advance)

    def _may_widen(self) -> bool:
        return len(self._streams) < self._company and self._host.borrow_stream()

    def _finish_inline(self) -> None:
        if self._verifier is None or self._part is None:
            raise SourceUnavailable("it gave no object")
        self._complete(self._verifier, self._part, memoryview(b""))
        self._wind_up()

    def _pump_if_due(self) -> None:
        if self._pumping or self._ranges is None or self._verifier is None:
            return
        frontier = self._ranges.frontier
        if frontier - self._verifier.position >= PUMP_BYTES or frontier == self._ranges.size:
            self._pumping = True
            self._host.work(lambda: self._pump(frontier), self._pumped)

    def _pumped(self) -> None:
        self._pumping = False
        if self._failure is not None or self._fetched is not None:
            self._wind_up()
        else:
            self._pump_if_due()

    def _pump(self, frontier: int) -> None:
        try:
            self._digest(frontier)
        except (OSError, TransferError) as error:
            self._tainted = self._tainted or isinstance(error, ContentMismatch)
            self.stop(error)
        except Exception:
            logger.exception("fault while digesting", extra={"row_id": self.wanted.row_id})
            self.stop(SourceUnavailable("fault in the worker, see its log"))

    def _digest(self, frontier: int) -> None:
        part, verifier = self._part, self._verifier
        if part is None or verifier is None:
            return
        buffer = memoryview(bytearray(BUFFER_BYTES))
        earlier = self._earlier
        while verifier.position < frontier and self._failure is None:
            limit = min(frontier, verifier.position + PUMP_BYTES)
            if earlier is not None and verifier.position < earlier.proven:
                limit = min(limit, earlier.proven)
            verifier.follow(part, limit, buffer)
            if earlier is not None and verifier.position == earlier.proven:
                if verifier.sha256().hex() != earlier.sha256:
                    raise ContentMismatch("the part of an earlier attempt has changed")
                self._earlier = earlier = None
            if verifier.position - self._saved >= JOURNAL_BYTES:
                self._save(part, verifier)
        if verifier.position == verifier.size:
            self._complete(verifier, part, buffer)

    def _complete(self, verifier: Verifier, part: PartFile, buffer: memoryview) -> None:
        if verifier.position != verifier.size:
            raise ContentMismatch(f"{verifier.position} of {verifier.size} bytes came")
        verified_by = verifier.finish(part, buffer)
        self._fetched = Fetched(verifier.size, verifier.sha256(), self._etag, verified_by)

    def _save(self, part: PartFile, verifier: Verifier) -> None:
        """Notes what is proven, but never all: a resumed copy must ask for something."""
        if self._etag is None or self._earlier is not None or verifier.position >= verifier.size:
            return
        digest = verifier.sha256().hex()
        part.save(Journal(self._etag, verifier.size, verifier.position, digest, self._check))
        self._saved = verifier.position

    def _wind_up(self) -> None:
        for stream in list(self._streams):
            self._host.abort(stream)
            self._drop(stream)
        if self._pumping or self._over:
            return
        self._over = True
        if self._ranges is None or self._part is None or self._failure is None:
            self._close()
            self._report()
        else:
            self._host.work(self._close, self._report)

    def _report(self) -> None:
        outcome = self._failure or self._fetched or SourceUnavailable("it gave no object")
        self._host.ended(self, outcome)

    def _close(self) -> None:
        part, verifier = self._part, self._verifier
        if part is None or verifier is None:
            return
        try:
            worth = self._worth_keeping()
            if worth and verifier.position - self._saved >= PUMP_BYTES:
                self._save(part, verifier)
            part.close(keep=self._failure is None or (worth and part.journal is not None))
        except OSError as error:
            self._failure = self._failure or from_os_error(error)

    def _worth_keeping(self) -> bool:
        """A part is continued only if its object is still the same, and there is room."""
        return (
            self._ranges is not None
            and self._ranges.size >= JOURNAL_BYTES
            and self._parallel
            and not self._tainted
            and not isinstance(self._failure, ObjectChanged | StorageFull | GiveUp)
        )
