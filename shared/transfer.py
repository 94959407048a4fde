"""What a source gives and a storage takes: the seam between download and disk.

A worker asks the storage for a part file, asks the source to fill it, and lets the storage make
it durable and put it in place. Source and storage know nothing of the ledger or the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path

    from shared.errors import TransferError


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object to copy.

    Attributes:
        row_id: the ledger row, which names the part file.
        attempt: the number of this attempt, from 1; with `row_id` it is unique for ever.
        file_name: the object's key, and the file's path under the storage.
        file_type: the media type that the client announced.
        queued_at: when the row became queued (aware, the database's clock).
        claimed_at: when this attempt began, by the same clock: a missing object is given a grace
            window from the one to the other, whatever this machine's own clock says.
    """

    row_id: int
    attempt: int
    file_name: str
    file_type: str
    queued_at: datetime
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete object in its part file, its content verified, not yet durable.

    Attributes:
        size: bytes.
        sha256: 32 bytes, computed over what was written.
        etag: the object's ETag without quotes, or None where the source has none.
        verified_by: what the content was checked against, for the log: "crc64nvme", "md5",
            "size", …
    """

    size: int
    sha256: bytes
    etag: str | None
    verified_by: str


class ObjectSource(Protocol):
    """Where objects come from."""

    def fetch(self, wanted: Wanted, part: Path) -> Future[Fetched]:
        """Starts copying one object into `part` and returns at once.

        The source bounds how many copies run at the same time and how much memory they take.
        A part left by an earlier attempt may be continued where its content can be proven.

        Args:
            wanted: the object.
            part: the part file to write, see `Storage.parts`.

        Returns:
            A future of the verified copy. It raises `RetryLater` or `GiveUp`, never a
            driver's error. Cancelling it, even while it runs, ends the copy soon.
        """
        ...

    def close(self) -> None:
        """Ends running copies and frees connections."""
        ...


class Storage(Protocol):
    """Where files end: a folder whose readers see complete files only."""

    def parts(self, wanted: Sequence[Wanted]) -> Mapping[int, Path | TransferError]:
        """Gives the paths of attempts' part files, `.incoming/<row id>.<attempt>.part`.

        Returns:
            For each row id its path, or why it has none: `StorageUnavailable`, the storage's
            folder is missing or not writable; `NameUnsafe`, the file name could leave the
            storage; `TargetBlocked`, the target is a folder, a link, or lies below a file or a
            link.
        """
        ...

    def make_durable(self, parts: Sequence[Path]) -> None:
        """Returns when the content of every part is on disk.

        Raises:
            StorageFull, StorageUnavailable: it may not be; place none of them.
        """
        ...

    def place(self, files: Sequence[tuple[Wanted, Path]]) -> Mapping[int, TransferError]:
        """Renames durable parts to their names and makes the names durable.

        Args:
            files: each wanted object with its part.

        Returns:
            The error of every row (by row id) whose file is not in place; the others are.
        """
        ...

    def discard(self, wanted: Wanted) -> None:
        """Removes what this attempt and earlier ones of its row have left of parts.

        Raises:
            StorageUnavailable: the storage's folder is missing or not writable.
        """
        ...

    def sweep(self, older_than: float) -> int:
        """Removes parts that no attempt has touched for `older_than` seconds; says how many."""
        ...
