"""Files on local storage: parts are filled in `.incoming`, made durable, and renamed into place.

The storage's folder itself is never created: a mount point without its mount, or a mistyped path,
must not pass for an empty storage.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shared.domain import Wanted
from shared.errors import StorageUnavailable, TransferError
from shared.storage.durability import can_sync_all, sync, sync_all
from shared.storage.folders import open_folder
from shared.storage.os_errors import as_transfer_error, from_os_error
from shared.storage.parts import FOLDER, journal_of, part_name
from shared.storage.placing import (
    FolderNames,
    find_blocked,
    group_by_folder,
    is_file,
    remove,
    rename_into,
)
from shared.storage.sweeping import sweep

SYNC_ALL_FROM = 8
"""Number of files or folders from which one syncfs is quicker than an fsync each; measured, see
docs/decisions/0004-durability.md."""

EARLIER_ATTEMPTS = 1_000
"""How far back `discard` looks for parts; what is older is left to `sweep`. An object that takes
many invocations, or is retried by people, has many attempts."""


class LocalStorage:
    """A folder of this machine; see `shared.storage.interface.Storage`.

    Args:
        root: its path; it must exist when the first file comes.
        now: the clock that file times are compared with.
    """

    def __init__(self, root: str | Path, now: Callable[[], float] = time.time) -> None:
        self._root = Path(root).absolute()
        self._now = now
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def parts(self, wanted: Sequence[Wanted]) -> Mapping[int, Path | TransferError]:
        """See `Storage.parts`."""
        folders, errors = group_by_folder(wanted)
        try:
            root = self._open()
            with open_folder(root, [FOLDER], create=True):
                pass
        except (OSError, TransferError) as error:
            return dict.fromkeys((one.row_id for one in wanted), as_transfer_error(error)) | errors
        for folder, targets in folders.items():
            errors |= find_blocked(root, folder, targets)
        incoming = self._root / FOLDER
        return {
            one.row_id: errors.get(one.row_id) or incoming / part_name(one.row_id, one.attempt)
            for one in wanted
        }

    def make_durable(self, parts: Sequence[Path]) -> None:
        """See `Storage.make_durable`; a part that is gone is left to `place` to report."""
        try:
            root = self._open()
            if len(parts) >= SYNC_ALL_FROM and can_sync_all(root):
                sync_all(root)
                return
            for part in parts:
                _sync_part(part)
        except OSError as error:
            raise from_os_error(error) from error

    def place(self, files: Sequence[tuple[Wanted, Path]]) -> Mapping[int, TransferError]:
        """See `Storage.place`."""
        folders, errors = group_by_folder([wanted for wanted, _ in files])
        parts = {wanted.row_id: part for wanted, part in files}
        try:
            root = self._open()
            with open_folder(root, [FOLDER], create=False) as incoming:
                for folder, targets in folders.items():
                    errors |= rename_into(root, incoming, folder, targets, parts)
        except (OSError, TransferError) as error:
            return dict.fromkeys(parts, as_transfer_error(error)) | errors
        return errors

    def make_names_durable(self, wanted: Sequence[Wanted]) -> Mapping[int, TransferError]:
        """See `Storage.make_names_durable`."""
        folders, errors = group_by_folder(wanted)
        for folder, failure in self._sync_folders(list(folders)).items():
            errors |= dict.fromkeys(folders[folder], failure)
        return errors

    def discard(self, wanted: Wanted, *, keep_proven: bool = False) -> None:
        """See `Storage.discard`."""
        earliest = max(1, wanted.attempt - EARLIER_ATTEMPTS)
        try:
            with open_folder(self._open(), [FOLDER], create=True) as folder:
                for attempt in range(earliest, wanted.attempt + 1):
                    part = Path(part_name(wanted.row_id, attempt))
                    if keep_proven and is_file(folder, journal_of(part).name):
                        continue
                    for name in (part.name, journal_of(part).name):
                        remove(folder, name)
        except OSError as error:
            raise from_os_error(error) from error

    def sweep(self, older_than: float) -> int:
        """See `Storage.sweep`; a part that a process is writing is locked, and stays."""
        try:
            with open_folder(self._open(), [FOLDER], create=True) as folder:
                return sweep(folder, self._now() - older_than)
        except OSError as error:
            raise from_os_error(error) from error

    def _open(self) -> int:
        """Return the root's descriptor, kept open so that syncfs reports what went wrong since."""
        with self._lock:
            if not self._root.is_dir():
                raise StorageUnavailable(f"the folder {str(self._root)!r} is missing")
            if self._descriptor is not None:
                held, named = os.fstat(self._descriptor), self._root.stat()
                if (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino):
                    return self._descriptor
                os.close(self._descriptor)  # something else has been mounted there
                self._descriptor = None
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            self._descriptor = os.open(self._root, flags)
            return self._descriptor

    def _sync_folders(self, folders: Sequence[FolderNames]) -> Mapping[FolderNames, TransferError]:
        """Make names durable, those of the folders on the way included.

        A folder that existed already may have been made by a process that died before it
        synced its parent, so every folder up to the root is synced, once for the batch.
        """
        needed = {folder[:depth] for folder in folders for depth in range(len(folder) + 1)}
        failed: dict[FolderNames, TransferError] = {}
        if len(needed) >= SYNC_ALL_FROM:
            try:
                root = self._open()
                if can_sync_all(root):
                    sync_all(root)
                    return {}
            except (OSError, TransferError) as error:
                return dict.fromkeys(folders, as_transfer_error(error))
        for folder in needed:
            try:
                with open_folder(self._open(), folder, create=False) as descriptor:
                    sync(descriptor)
            except (OSError, TransferError) as error:
                failed[folder] = as_transfer_error(error)
        return {
            folder: failed[above]
            for folder in folders
            for above in failed
            if folder[: len(above)] == above
        }


def _sync_part(part: Path) -> None:
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
