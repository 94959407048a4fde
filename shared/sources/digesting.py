"""A part file with its digests, and what of it is proven: reusable by any source.

The digests follow the writing, in order: at once, as bytes are appended, or later, by reading
back what was written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from shared.domain import Fetched, UnprovenCopy
from shared.errors import ContentMismatch
from shared.injection_points import CrashPoint, injection_point
from shared.sources.comparison import Comparison
from shared.sources.digests import Check
from shared.sources.part_file import Journal, PartFile
from shared.sources.verifier import BUFFER_BYTES, BY_SIZE, Verifier

JOURNAL_BYTES = 64 * 1024 * 1024
"""How much may have to be fetched again after an interruption."""

STEP_BYTES = 4 * 1024 * 1024
"""How much is digested before checking again whether the copy is still wanted."""

CATCH_UP_SECONDS = 0.25
"""How long an interrupted copy may take to digest what has come; it lags little behind."""


class DigestedPart:
    """The part of one copy with its digests.

    One thread at a time may digest; others may write meanwhile.

    Args:
        part: the file; its journal names what an earlier attempt has proven.
        size: of the object in bytes.
        etag: of the object, None where it has none that identifies its content.
        check: the digest that the store promises.
        part_size: see `Verifier`.
        comparison: what becomes of bytes that nothing proves.
        framed: whether the end of the body was marked; otherwise it may have been cut short.
    """

    def __init__(
        self,
        part: PartFile,
        size: int,
        etag: str | None,
        check: Check | None,
        part_size: Callable[[int], tuple[int, int]],
        comparison: Comparison | None = None,
        *,
        framed: bool = True,
    ) -> None:
        self.size = size
        self.etag = etag
        self._part = part
        self._check = check
        self._comparison = comparison or Comparison()
        self._framed = framed
        self._verifier = Verifier(size, check, part_size)
        self._earlier = part.journal
        self._saved = part.journal.proven if part.journal else 0
        self._tainted = False

    @property
    def position(self) -> int:
        """Bytes that are digested."""
        return self._verifier.position

    def write(self, position: int, data: bytes) -> None:
        """Write bytes that are digested later.

        Raises:
            OSError: the storage refuses.
        """
        try:
            self._part.write(position, data)
        except OSError:
            self._tainted = True
            raise

    def append(self, data: bytes) -> None:
        """Write and digest the next bytes; not of a check of several parts, see `Verifier.inline`.

        Raises:
            OSError: the storage refuses.
        """
        self._part.write(self._verifier.position, data)
        self._verifier.update(data)

    def digest(self, frontier: int, going: Callable[[], bool]) -> Fetched | None:
        """Digest the file up to `frontier`; return the verified object if that is its end.

        Args:
            frontier: bytes without a gap.
            going: returns whether to go on.

        Raises:
            ContentMismatch: the content is not the object's.
            OSError: the storage refuses.
        """
        buffer = memoryview(bytearray(BUFFER_BYTES))
        try:
            if self._earlier is not None and not self.position:
                self._part.read_from_disk()
            while self.position < frontier and going():
                self._verifier.update_from(self._part, self._limit(frontier), buffer)
                self._compare_with_earlier()
                if self.position - self._saved >= JOURNAL_BYTES:
                    self._save()
            return self.finish(buffer) if self.position == self.size else None
        except (ContentMismatch, OSError):
            self._tainted = True
            raise

    def finish(self, buffer: memoryview | None = None) -> Fetched:
        """Verify the whole content.

        Args:
            buffer: to read the file with where it must be read again; needed after `digest`.

        Raises:
            ContentMismatch: it is not the object's.
            OSError: the storage refuses.
        """
        if self.position != self.size:
            raise ContentMismatch(f"{self.position} of {self.size} bytes came")
        room = memoryview(b"") if buffer is None else buffer
        sha256 = self._verifier.sha256()
        verified_by = self._verdict(room, sha256)
        injection_point(CrashPoint.AFTER_LAST_BYTE)
        return Fetched(self.size, sha256, self.etag, verified_by, self._part.hold())

    def catch_up(self, frontier: int) -> None:
        """Digest what has come of an interrupted copy, so that it counts as proven.

        Args:
            frontier: bytes without a gap.

        Raises:
            OSError: the storage refuses.
        """
        deadline = time.monotonic() + CATCH_UP_SECONDS
        with suppress(ContentMismatch):  # the part is tainted then
            # Never all: a resumed copy must request something.
            self.digest(min(frontier, self.size - 1), lambda: time.monotonic() < deadline)

    def close(self, *, complete: bool, resumable: bool, interrupted: bool = False) -> None:
        """Release the lock of the part, and remove what cannot be continued.

        Args:
            complete: the part is to be placed.
            resumable: otherwise, a later attempt may continue it.
            interrupted: the copy ran out of time: what has come is kept even of a short object,
                which would take as long again, and again.

        Raises:
            OSError: the storage refuses.
        """
        worth_it = interrupted or self.size >= JOURNAL_BYTES
        resumable = resumable and not self._tainted and worth_it
        least = 1 if interrupted else STEP_BYTES
        try:
            if resumable and not complete and self.position - self._saved >= least:
                self._save()
        finally:
            self._part.close(keep=complete or (resumable and self._part.journal is not None))

    def _verdict(self, buffer: memoryview, sha256: bytes) -> str:
        """Return what the content is verified by.

        Raises:
            ContentMismatch: it is not, or may not be, the object's.
        """
        try:
            verified_by = self._verifier.finish(self._part, buffer)
        except ContentMismatch as mismatch:
            if self._check is None or self._check.decisive:
                raise
            copy = UnprovenCopy(self.etag or "", self.size, sha256)
            return self._comparison.verdict(mismatch.about, copy, whole=self._framed)
        if verified_by != BY_SIZE:
            return verified_by
        copy = UnprovenCopy(self.etag or "", self.size, sha256)
        if self._check is not None:
            about = f"its {self._check.title} cannot be checked: the sizes of the parts are unknown"
            return self._comparison.verdict(about, copy, whole=self._framed, differs=False)
        if not self._framed:
            about = "nothing tells its size, nor where it ends"
            return self._comparison.verdict(about, copy, whole=False)
        return verified_by

    def _limit(self, frontier: int) -> int:
        limit = min(frontier, self.position + STEP_BYTES)
        return min(limit, self._earlier.proven) if self._earlier is not None else limit

    def _compare_with_earlier(self) -> None:
        earlier = self._earlier
        if earlier is not None and self.position == earlier.proven:
            if self._verifier.sha256().hex() != earlier.sha256:
                raise ContentMismatch("the part of an earlier attempt has changed")
            self._earlier = None

    def _save(self) -> None:
        """Note what is proven, but never all: a resumed copy must request something."""
        if self.etag is None or self._earlier is not None or self.position >= self.size:
            return
        digest = self._verifier.sha256().hex()
        self._part.save(Journal(self.etag, self.size, self.position, digest, self._check))
        self._saved = self.position
