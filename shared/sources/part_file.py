"""The part file of one attempt, locked while it is written, and the journal beside it.

The journal records: the first `proven` bytes of the part have this SHA-256, and they belong to the
object with this ETag. A later attempt may continue the part if it gets the lock (so no other
process writes it any more), if the store still has that ETag (`If-Match`), and if the bytes still
have that digest.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from shared.domain import Progress
from shared.sources.digests import ALGORITHMS, Check
from shared.storage.durability import read_from_disk
from shared.storage.locking import lock
from shared.storage.open_part import OpenPart
from shared.storage.parts import journal_of, owner_of, part_name

LOOK_BACK = 1_000
"""How many attempts back a part may be continued; every retry and every invocation that an object
takes adds to the number of attempts."""

_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Journal:
    """What is proven of a part.

    Attributes:
        etag: of the object, without quotes.
        size: of the object in bytes.
        proven: bytes from the beginning that are verified to be the object's.
        sha256: their digest, in hex.
        check: the digest that the store promised, None where it promised none.
    """

    etag: str
    size: int
    proven: int
    sha256: str
    check: Check | None

    def encode(self) -> bytes:
        """Return the journal as it is stored."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Return the journal that was stored, None where the data is not one."""
        try:
            fields = json.loads(data)
            check = fields.pop("check")
            journal = cls(**fields, check=Check(**check) if check else None)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        sound = (
            all(isinstance(n, int) for n in (journal.size, journal.proven))
            and 0 < journal.proven < journal.size
            and all(isinstance(t, str) for t in (journal.etag, journal.sha256))
            and (journal.check is None or journal.check.algorithm in ALGORITHMS)
        )
        return journal if sound else None


class PartFile:
    """An open part with an exclusive lock, where the file system has locks.

    Without them no part is continued: nothing would tell whether its writer still lives. Two
    attempts never share a new one, as its name is unique.

    Args:
        path: of the part.
        descriptor: open for reading and writing, locked.
        journal: what an earlier attempt has proven, None for a new part.
        progress: told of what is written, read and proven.
    """

    def __init__(
        self,
        path: Path,
        descriptor: int,
        journal: Journal | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.path = path
        self.journal = journal
        self._descriptor = descriptor
        self._progress = progress or Progress()
        if journal is not None:
            self._progress.continued = self._progress.proven = journal.proven

    @classmethod
    def create(cls, path: Path, progress: Progress | None = None) -> Self:
        """Make a new part.

        Raises:
            OSError: the storage refuses.
        """
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return cls(path, descriptor, progress=progress)

    @classmethod
    def resume(
        cls, path: Path, row_id: int, attempt: int, progress: Progress | None = None
    ) -> Self | None:
        """Take over the part of an earlier attempt under a new name, None where none can be used.

        Args:
            path: where the part of this attempt belongs.
            row_id: the ledger row.
            attempt: the number of this attempt.
            progress: of this attempt.
        """
        for earlier in range(attempt - 1, max(0, attempt - 1 - LOOK_BACK), -1):
            older = path.with_name(part_name(row_id, earlier, owner_of(path)))
            try:
                taken = cls._take(older, path, progress)
            except OSError:
                continue
            if taken is not None:
                return taken
        return None

    @classmethod
    def _take(cls, older: Path, path: Path, progress: Progress | None) -> Self | None:
        journal = Journal.decode(journal_of(older).read_bytes())
        if journal is None:
            return None
        descriptor = os.open(older, _FLAGS)
        try:
            locked = lock(descriptor)
            held, named = os.fstat(descriptor), os.lstat(older)
            same = (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)
            if not (locked and same) or held.st_size < journal.proven:
                os.close(descriptor)
                return None
            older.rename(path)
            journal_of(older).rename(journal_of(path))
        except OSError:
            os.close(descriptor)
            raise
        return cls(path, descriptor, journal, progress)

    def write(self, position: int, data: bytes) -> None:
        """Write all of `data` at `position`.

        Raises:
            OSError: the storage refuses.
        """
        written = os.pwrite(self._descriptor, data, position)
        while written < len(data):
            written += os.pwrite(self._descriptor, data[written:], position + written)
        self._progress.steps += 1

    def read(self, position: int, buffer: memoryview) -> int:
        """Fill the buffer from `position` on; return how many bytes there were."""
        count = os.preadv(self._descriptor, [buffer], position)
        self._progress.steps += 1
        return count

    def read_from_disk(self) -> None:
        """See to it that what is read from now on is what an earlier attempt has on disk.

        Raises:
            OSError: what that attempt wrote could not be.
        """
        read_from_disk(self._descriptor)

    def hold(self) -> OpenPart | None:
        """Return the complete part for the storage, see `OpenPart.of`; `close` is still due.

        Raises:
            OSError: the content may not be on disk.
        """
        return OpenPart.of(self._descriptor)

    def save(self, journal: Journal) -> None:
        """Store what is proven.

        Nothing is synced here, which would cost more than the download: before the part is
        continued its bytes are read back from the disk, and before the file is placed all are
        synced.

        Raises:
            OSError: the storage refuses.
        """
        path = journal_of(self.path)
        draft = path.with_suffix(".journal-new")
        draft.write_bytes(journal.encode())
        draft.rename(path)
        self.journal = journal
        self._progress.proven = journal.proven

    def close(self, *, keep: bool) -> None:
        """Release the lock; remove the part unless it is kept.

        Args:
            keep: the part is complete, or worth continuing.
        """
        try:
            if not keep:
                journal_of(self.path).unlink(missing_ok=True)
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)
