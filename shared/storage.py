"""Files on local storage: parts are filled in `.incoming`, made durable, and renamed into place.

The storage's folder itself is never created: a mount point without its mount, or a mistyped path,
must not be taken for an empty storage.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shared.crash import CrashPoint, reached
from shared.disk_errors import from_os_error
from shared.durable import can_sync_all, sync, sync_all
from shared.errors import NameUnsafe, StorageUnavailable, TransferError
from shared.folders import check_target, opened
from shared.incoming import FOLDER, journal_of, part_name
from shared.object_key import check_key
from shared.orphans import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from shared.transfer import Wanted

SYNC_ALL_FROM = 8
"""Files or folders from which one syncfs is quicker than an fsync each; measured, see
docs/decisions/0004-durability.md."""

EARLIER_ATTEMPTS = 16
"""How far back `discard` looks for parts; what is older is left to `sweep`."""


class LocalStorage:
    """A folder of the machine; see `shared.transfer.Storage`.

    Args:
        root: its path; it must exist when the first file comes.
        now: the clock that file times are compared with.
    """

    def __init__(self, root: str | Path, now: Callable[[], float] = time.time) -> None:
        self._root = Path(root).absolute()
        self._now = now
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def part(self, wanted: Wanted) -> Path:
        """See `Storage.part`."""
        segments = _segments(wanted.file_name)
        try:
            root = self._open()
            with opened(root, [FOLDER], create=True):
                pass
            with (
                suppress(FileNotFoundError),  # its folders are still to be made
                opened(root, segments[:-1], create=False) as folder,
            ):
                check_target(folder, segments[-1], wanted.file_name)
        except OSError as error:
            raise from_os_error(error) from error
        return self._root / FOLDER / part_name(wanted.row_id, wanted.attempt)

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

    def place(self, files: Iterable[tuple[Wanted, Path]]) -> Mapping[int, TransferError]:
        """See `Storage.place`."""
        errors: dict[int, TransferError] = {}
        folders: dict[tuple[str, ...], list[int]] = {}
        for wanted, part in files:
            try:
                folder = self._rename(wanted, part)
                folders.setdefault(folder, []).append(wanted.row_id)
            except OSError as error:
                errors[wanted.row_id] = from_os_error(error)
            except TransferError as error:
                errors[wanted.row_id] = error
        for folder, failure in self._sync_folders(list(folders)).items():
            errors |= dict.fromkeys(folders[folder], failure)
        return errors

    def discard(self, wanted: Wanted) -> None:
        """See `Storage.discard`."""
        earliest = max(1, wanted.attempt - EARLIER_ATTEMPTS)
        try:
            with opened(self._open(), [FOLDER], create=True) as folder:
                for attempt in range(earliest, wanted.attempt + 1):
                    part = Path(part_name(wanted.row_id, attempt))
                    for name in (part.name, journal_of(part).name):
                        _remove(folder, name)
        except OSError as error:
            raise from_os_error(error) from error

    def sweep(self, older_than: float) -> int:
        """See `Storage.sweep`; a part that a process is writing is locked, and stays."""
        try:
            with opened(self._open(), [FOLDER], create=True) as folder:
                return sweep(folder, self._now() - older_than)
        except OSError as error:
            raise from_os_error(error) from error

    def _open(self) -> int:
        """Gives the root's descriptor, kept open so that syncfs reports what went wrong since."""
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

    def _rename(self, wanted: Wanted, part: Path) -> tuple[str, ...]:
        segments = _segments(wanted.file_name)
        root = self._open()
        with (
            opened(root, [FOLDER], create=False) as incoming,
            opened(root, segments[:-1], create=True) as folder,
        ):
            check_target(folder, segments[-1], wanted.file_name)
            os.rename(part.name, segments[-1], src_dir_fd=incoming, dst_dir_fd=folder)
            reached(CrashPoint.AFTER_RENAME)
            with suppress(FileNotFoundError):  # only long parts have one
                os.unlink(journal_of(part).name, dir_fd=incoming)
        return tuple(segments[:-1])

    def _sync_folders(
        self, folders: Sequence[tuple[str, ...]]
    ) -> Mapping[tuple[str, ...], TransferError]:
        """Makes names durable, those of the folders on the way included.

        A folder that was there already may have been made by a process that died before it
        synced its parent, so every folder up to the root is synced, once for the batch.
        """
        needed = {folder[:depth] for folder in folders for depth in range(len(folder) + 1)}
        failed: dict[tuple[str, ...], TransferError] = {}
        if len(needed) >= SYNC_ALL_FROM:
            try:
                root = self._open()
                if can_sync_all(root):
                    sync_all(root)
                    return {}
            except OSError as error:
                return dict.fromkeys(folders, from_os_error(error))
            except TransferError as error:
                return dict.fromkeys(folders, error)
        for folder in needed:
            try:
                with opened(self._open(), folder, create=False) as descriptor:
                    sync(descriptor)
            except OSError as error:
                failed[folder] = from_os_error(error)
            except TransferError as error:
                failed[folder] = error
        return {
            folder: failed[above]
            for folder in folders
            for above in failed
            if folder[: len(above)] == above
        }


def _segments(name: str) -> list[str]:
    reason = check_key(name)
    if reason is not None:
        raise NameUnsafe(f"it {reason}")
    return name.split("/")


def _remove(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _sync_part(part: Path) -> None:
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
