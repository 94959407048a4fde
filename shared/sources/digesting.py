"""Digesting a part file behind its download, and noting what is proven of it."""

from __future__ import annotations

from collections.abc import Callable

from shared.domain import Fetched
from shared.errors import ContentMismatch
from shared.injection_points import CrashPoint, injection_point
from shared.sources.part_file import Journal, PartFile
from shared.sources.s3.checksums import Check
from shared.sources.verifier import BUFFER_BYTES, Verifier

JOURNAL_BYTES = 64 * 1024 * 1024
"""How much may have to be fetched again after an interruption."""

STEP_BYTES = 4 * 1024 * 1024
"""How much is digested between two looks at whether the copy still goes on."""


class Follower:
    """The part of one copy with its digests; one thread at a time uses it.

    Args:
        part: the file.
        size: of the object in bytes.
        etag: of the object, None where it has none that identifies its content.
        check: what the store says of the content.
        part_size: see `Verifier`.
    """

    def __init__(
        self,
        part: PartFile,
        size: int,
        etag: str | None,
        check: Check | None,
        part_size: Callable[[int], tuple[int, int]],
    ) -> None:
        self.size = size
        self.etag = etag
        self._part = part
        self._check = check
        self._verifier = Verifier(size, check, part_size)
        self._earlier = part.journal
        self._saved = part.journal.proven if part.journal else 0
        self._tainted = False

    @property
    def position(self) -> int:
        """Bytes that are digested."""
        return self._verifier.position

    @property
    def inline(self) -> bool:
        """Whether bytes may be given to `take`, nothing having to be asked for."""
        return self._verifier.inline

    def write(self, position: int, data: bytes) -> None:
        """Writes bytes that will be digested later.

        Raises:
            OSError: the storage refuses.
        """
        self._part.write(position, data)

    def take(self, data: bytes) -> None:
        """Writes and digests the next bytes.

        Raises:
            OSError: the storage refuses.
        """
        self._part.write(self._verifier.position, data)
        self._verifier.update(data)

    def digest(self, frontier: int, going: Callable[[], bool]) -> Fetched | None:
        """Digests the file up to `frontier`; gives the outcome when that is its end.

        Args:
            frontier: bytes without a gap.
            going: says whether to go on.

        Raises:
            ContentMismatch: the content is not the object's.
            OSError: the storage refuses.
        """
        buffer = memoryview(bytearray(BUFFER_BYTES))
        try:
            while self.position < frontier and going():
                self._verifier.follow(self._part, self._limit(frontier), buffer)
                self._compare_with_earlier()
                if self.position - self._saved >= JOURNAL_BYTES:
                    self._save()
            return self.finish(buffer) if self.position == self.size else None
        except ContentMismatch:
            self._tainted = True
            raise

    def finish(self, buffer: memoryview | None = None) -> Fetched:
        """Verifies the whole content.

        Raises:
            ContentMismatch: it is not the object's.
        """
        if self.position != self.size:
            raise ContentMismatch(f"{self.position} of {self.size} bytes came")
        room = memoryview(b"") if buffer is None else buffer
        verified_by = self._verifier.finish(self._part, room)
        injection_point(CrashPoint.AFTER_LAST_BYTE)
        return Fetched(self.size, self._verifier.sha256(), self.etag, verified_by)

    def close(self, *, complete: bool, worth: bool) -> None:
        """Ends the lock of the part, and removes what cannot be continued.

        Args:
            complete: it is to be placed.
            worth: otherwise, a later attempt may continue it.

        Raises:
            OSError: the storage refuses.
        """
        worth = worth and not self._tainted and self.size >= JOURNAL_BYTES
        try:
            if worth and not complete and self.position - self._saved >= STEP_BYTES:
                self._save()
        finally:
            self._part.close(keep=complete or (worth and self._part.journal is not None))

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
        """Notes what is proven, but never all: a resumed copy must ask for something."""
        if self.etag is None or self._earlier is not None or self.position >= self.size:
            return
        digest = self._verifier.sha256().hex()
        self._part.save(Journal(self.etag, self.size, self.position, digest, self._check))
        self._saved = self.position
