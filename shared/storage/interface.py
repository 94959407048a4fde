"""Where files are written to, complete or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from shared.domain import Metadata, Wanted
from shared.errors import TransferError
from shared.storage.open_part import OpenPart


class Storage(Protocol):
    """A folder of files whose readers see complete files only."""

    def parts(self, wanted: Sequence[Wanted]) -> Mapping[int, Path | TransferError]:
        """Return the paths of attempts' part files, `.incoming/<row id>.<attempt>.<owner>.part`.

        Returns:
            For each row id its path, or why it has none: `StorageUnavailable`, the storage's
            folder is missing or not writable; `StorageForeign`, it is another installation's, or
            has lost the mark of this one, and nothing is written; `NameUnsafe`, the file name
            allows path traversal or is reserved; `NameRefused`, the file system does not keep the
            name, or takes it for another file's; `TargetBlocked`, the target is a folder, a link,
            or lies below a file or a link.
        """
        ...

    def make_durable(self, parts: Mapping[Path, OpenPart | None]) -> Mapping[Path, TransferError]:
        """Wait until the content of every part is on disk, and close the parts.

        Args:
            parts: by path, each as it was written; None where it may be opened anew.

        Returns:
            By path, why a part may not be on disk: `StorageFull`, `StorageUnavailable`. Such a
            part is removed, as nothing would tell a second time that it is not right.
        """
        ...

    def place(
        self,
        files: Sequence[tuple[Wanted, Path]],
        metadata: Mapping[int, Metadata] | None = None,
    ) -> Mapping[int, TransferError]:
        """Rename durable parts to their names, which `make_names_durable` makes durable.

        A file never replaces one of another name, even if the file system takes both for the same.

        Args:
            files: each wanted object with its part.
            metadata: of the objects, by row id, as far as their source gave any.

        Returns:
            The error of every row (by row id) whose file is not in place; the others are.
        """
        ...

    def make_names_durable(self, wanted: Sequence[Wanted]) -> Mapping[int, TransferError]:
        """Wait until the names of placed files are on disk, which may take minutes.

        Returns:
            The error of every row (by row id) whose file's name may not be.
        """
        ...

    def discard(self, wanted: Wanted, *, keep_proven: bool = False) -> None:
        """Remove the parts that this attempt and earlier ones of its row have left.

        Args:
            wanted: the object, with its last attempt.
            keep_proven: keep those that have a journal, so that a retry can continue them.

        Raises:
            StorageUnavailable: the storage's folder is missing, not writable, or another's.
        """
        ...

    def sweep(self, older_than: float) -> int:
        """Remove parts that no attempt has touched for `older_than` seconds; return how many."""
        ...

    def check(self) -> TransferError | None:
        """Write a small file, make it durable and remove it; return why that must not or cannot be.

        Raises:
            LedgerUnavailable: whose the storage is cannot be known.
        """
        ...
