"""Reading some of the stored files again, and comparing them with the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Protocol

from shared.ledger.selection import PROBLEMS, Verification
from shared.ledger.verifications import Recorded, Verifications
from shared.storage.reading import HASHED_AT_ONCE, StorageReader, Verdict

READERS = 2
"""Files read at the same time: SHA-256 is computed without the interpreter's lock."""

LOOK_SECONDS = 10.0
"""Seconds between calls of `meanwhile`."""

Found = list[tuple[Recorded, Verification]]


class OwnedStorage(Protocol):
    """Distinguishes the storage from an empty mount point."""

    def check_owner(self) -> None:
        """Raise a `TransferError` unless the storage is this installation's."""
        ...


class Checker:
    """Reads files again, and compares them with the ledger.

    Args:
        verifications: what is recorded of them.
        files: reads the storage.
        storage: checks that it is this installation's.
    """

    def __init__(
        self, verifications: Verifications, files: StorageReader, storage: OwnedStorage
    ) -> None:
        self._verifications = verifications
        self._files = files
        self._storage = storage

    def check(
        self,
        recorded: Sequence[Recorded],
        going: Callable[[], bool],
        meanwhile: Callable[[], object] = lambda: None,
        bytes_per_second: int | None = None,
    ) -> Found:
        """Read files and return the results of those that were read completely.

        If a file seems wrong, row and file are read a second time: a newer object may have been
        placed between the two.

        Args:
            recorded: the files.
            going: called while files are read; False ends the reading soon.
            meanwhile: called every `LOOK_SECONDS` in the calling thread.
            bytes_per_second: the most to read, None for no limit.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
            TransferError: files are missing because the storage is.
        """
        self._storage.check_owner()
        pace = _Pace(going, bytes_per_second)
        found = self._read(recorded, pace, meanwhile)
        doubtful = [record.row_id for record, result in found if result in PROBLEMS]
        if not doubtful:
            return found
        second = self._read(self._verifications.of(doubtful), pace, meanwhile)
        # Checked after the second reading as well, which an empty mount point would mislead.
        self._storage.check_owner()
        return [one for one in found if one[1] not in PROBLEMS] + second

    def _read(
        self, recorded: Sequence[Recorded], pace: _Pace, meanwhile: Callable[[], object]
    ) -> Found:
        waiting, found = iter(recorded), []

        def read() -> None:
            for record in waiting:  # of a list: whichever thread asks gets the next one
                verdict = self._verdict(record, pace)
                if verdict is not Verdict.UNFINISHED:
                    found.append((record, Verification(verdict.value)))

        # One task for each thread: a future for each file took longer than reading a small one.
        with ThreadPoolExecutor(READERS) as pool:
            readers = [pool.submit(read) for _ in range(READERS)]
            while wait(readers, LOOK_SECONDS).not_done:
                meanwhile()
        for reader in readers:
            reader.result()
        return found

    def _verdict(self, record: Recorded, pace: _Pace) -> Verdict:
        if not pace.going():
            return Verdict.UNFINISHED
        block = min(record.size, HASHED_AT_ONCE)
        return self._files.verify(
            record.file_name, record.size, record.sha256, lambda: pace.after(block)
        )


class _Pace:
    """Limits the bytes per second that several threads read together.

    Args:
        going: False ends every wait.
        bytes_per_second: None for no limit.
    """

    def __init__(self, going: Callable[[], bool], bytes_per_second: int | None) -> None:
        self.going = going
        self._bytes_per_second = bytes_per_second
        self._begun = time.monotonic()
        self._bytes = 0

    def after(self, number: int) -> bool:
        """Wait until this many more bytes may be read, and return whether to continue."""
        if self._bytes_per_second:
            self._bytes += number
            due = self._begun + self._bytes / self._bytes_per_second
            while self.going() and (left := due - time.monotonic()) > 0:
                time.sleep(min(left, 0.2))
        return self.going()
