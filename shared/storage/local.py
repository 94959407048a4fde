"""Files on local storage: parts are filled in `.incoming`, made durable, and renamed into place.

The storage's folder itself is never created: a mount point without its mount, or a mistyped path,
must not pass for an empty storage.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from shared.domain import Metadata, Wanted
from shared.errors import StorageUnavailable, TransferError
from shared.storage.attributes import Attributes
from shared.storage.capabilities import Capabilities, probe
from shared.storage.checking import time_of, write_and_remove
from shared.storage.durability import SYNC_ALL_FROM, can_sync_all, sync, sync_all
from shared.storage.folder_sync import sync_folders
from shared.storage.folders import open_folder
from shared.storage.naming import Names
from shared.storage.open_part import OpenPart
from shared.storage.os_errors import as_transfer_error, from_os_error
from shared.storage.ownership import Owner, Ownership
from shared.storage.parts import FOLDER, journal_of, open_incoming, part_name
from shared.storage.placing import Placer, find_blocked, group_by_folder, is_file, remove
from shared.storage.sweeping import sweep

logger = logging.getLogger(__name__)

EARLIER_ATTEMPTS = 1_000
"""How far back `discard` looks for parts; what is older is left to `sweep`. An object that takes
many invocations, or is retried by people, has many attempts."""


class LocalStorage:
    """A folder of this machine; see `shared.storage.interface.Storage`.

    Args:
        root: its path; it must exist when the first file comes.
        owner: the installation that the storage must belong to; None for any.
        attributes: what files get beside their content.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        owner: Owner | None = None,
        attributes: Attributes | None = None,
    ) -> None:
        self._root = Path(root).absolute()
        self._ownership = Ownership(owner, str(self._root)) if owner else None
        self._attributes = attributes or Attributes()
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._names: dict[int, Names] = {}

    def parts(self, wanted: Sequence[Wanted]) -> Mapping[int, Path | TransferError]:
        """See `Storage.parts`."""
        folders, errors = group_by_folder(wanted)
        try:
            with self._incoming() as (root, incoming):
                names = self._probe(incoming)
                safe = (w.file_name for targets in folders.values() for _, w in targets.values())
                refused = names.refused(incoming, safe)
                for folder, targets in folders.items():
                    errors |= find_blocked(root, folder, targets, names.spelling)
        except (OSError, TransferError) as error:
            return dict.fromkeys((one.row_id for one in wanted), as_transfer_error(error)) | errors
        folder_of_parts = self._root / FOLDER
        return {
            one.row_id: refused.get(one.file_name)
            or errors.get(one.row_id)
            or folder_of_parts / self._part_name(one, one.attempt)
            for one in wanted
        }

    def make_durable(self, parts: Mapping[Path, OpenPart | None]) -> Mapping[Path, TransferError]:
        """See `Storage.make_durable`; a part that is gone is left to `place` to report."""
        try:
            root = self._open()
            whole = len(parts) >= SYNC_ALL_FROM and can_sync_all(root)
            if whole:
                try:
                    sync_all(root)
                except OSError:
                    whole = False  # whose failure it was, each part knows
            failures = {part: _failure(part, file, written=whole) for part, file in parts.items()}
        except (OSError, TransferError) as error:  # the storage is gone, and the parts with it
            return dict.fromkeys(parts, as_transfer_error(error))
        finally:
            for file in parts.values():
                if file is not None:
                    file.close()
        failed = {part: from_os_error(error) for part, error in failures.items() if error}
        self._remove(failed)
        return failed

    def place(
        self,
        files: Sequence[tuple[Wanted, Path]],
        metadata: Mapping[int, Metadata] | None = None,
    ) -> Mapping[int, TransferError]:
        """See `Storage.place`."""
        folders, errors = group_by_folder([wanted for wanted, _ in files])
        parts = {wanted.row_id: part for wanted, part in files}
        try:
            root = self._open()
            with open_folder(root, [FOLDER], create=False) as incoming:
                spelling = self._probe(incoming).spelling
                placer = Placer(root, incoming, spelling, self._attributes)
                for folder, targets in folders.items():
                    errors |= placer.rename_into(folder, targets, parts, metadata or {})
        except (OSError, TransferError) as error:
            return dict.fromkeys(parts, as_transfer_error(error)) | errors
        return errors

    def make_names_durable(self, wanted: Sequence[Wanted]) -> Mapping[int, TransferError]:
        """See `Storage.make_names_durable`."""
        folders, errors = group_by_folder(wanted)
        names = {f: [name for name, _ in targets.values()] for f, targets in folders.items()}
        try:
            unsynced = sync_folders(self._open(), names)
        except (OSError, TransferError) as error:
            return dict.fromkeys((one.row_id for one in wanted), as_transfer_error(error))
        for folder, failure in unsynced.items():
            errors |= dict.fromkeys(folders[folder], failure)
        return errors

    def discard(self, wanted: Wanted, *, keep_proven: bool = False) -> None:
        """See `Storage.discard`."""
        earliest = max(1, wanted.attempt - EARLIER_ATTEMPTS)
        try:
            with self._incoming() as (_, folder):
                for attempt in range(earliest, wanted.attempt + 1):
                    part = Path(self._part_name(wanted, attempt))
                    if keep_proven and is_file(folder, journal_of(part).name):
                        continue
                    for name in (part.name, journal_of(part).name):
                        remove(folder, name)
        except OSError as error:
            raise from_os_error(error) from error

    def sweep(self, older_than: float) -> int:
        """See `Storage.sweep`; a part that a process is writing is locked, and stays."""
        try:
            with self._incoming() as (_, folder):
                return sweep(folder, time_of(folder) - older_than)
        except OSError as error:
            raise from_os_error(error) from error

    def check(self) -> TransferError | None:
        """See `Storage.check`; what is left of it by a death is swept like any part."""
        try:
            with self._incoming() as (_, folder):
                write_and_remove(folder, part_name(0, secrets.randbits(48)))
        except (OSError, TransferError) as error:
            return as_transfer_error(error)
        return None

    def close(self) -> None:
        """Release the folder, so that its file system can be unmounted."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def check_owner(self) -> None:
        """Make sure that the storage may be written; see `Ownership.check`.

        Raises:
            StorageUnavailable: the folder is missing; `StorageForeign`, it is another's.
        """
        try:
            with self._incoming():
                pass
        except OSError as error:
            raise from_os_error(error) from error

    def examine(self) -> tuple[Capabilities, Names] | None:
        """Return what the file system offers, and what it does to names.

        Nothing is written to a storage that has no mark yet.

        Returns:
            None where there is no mark yet.

        Raises:
            StorageUnavailable: the folder is missing or cannot be written; `StorageForeign`, it is
                another's.
        """
        try:
            root = self._open()
            if self._ownership and not self._ownership.look(root):
                return None
            with open_incoming(root) as incoming:
                return probe(incoming), Names.probe(incoming)
        except OSError as error:
            raise from_os_error(error) from error

    def adopt(self) -> list[str]:
        """Make the storage its owner's, and return the identities of earlier owners.

        Raises:
            StorageUnavailable: the folder is missing or not writable.
        """
        try:
            return self._ownership.adopt(self._open()) if self._ownership else []
        except OSError as error:
            raise from_os_error(error) from error

    @contextmanager
    def _incoming(self) -> Iterator[tuple[int, int]]:
        """Yield descriptors of the root and of the folder of parts, if they are the owner's."""
        root = self._open()
        if self._ownership:
            self._ownership.check(root)
        with open_incoming(root) as incoming:
            yield root, incoming

    def _part_name(self, wanted: Wanted, attempt: int) -> str:
        owner = self._ownership.identity if self._ownership else ""
        return part_name(wanted.row_id, attempt, owner)

    def _probe(self, incoming: int) -> Names:
        """Find out what the file system offers, once for each that is found at the root."""
        device = os.fstat(incoming).st_dev
        names = self._names.get(device)
        if names is None:
            names = Names.probe(incoming)
            found = probe(incoming)
            self._names[device] = names
            level = logging.WARNING if found.lacks else logging.INFO
            what = {"lacks": "; ".join(found.lacks), "folds": names.spelling.folds}
            logger.log(level, "storage probed", extra=asdict(found) | what)
        return names

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

    def _remove(self, parts: Iterable[Path]) -> None:
        """Remove parts whose content is not on disk, with their journals.

        They look right as long as they are in the page cache, and would be continued. What cannot
        be removed either is read back from the disk before it is continued.
        """
        for part in parts:
            for path in (part, journal_of(part)):
                with suppress(OSError):
                    path.unlink()


def _failure(part: Path, file: OpenPart | None, *, written: bool) -> OSError | None:
    """Return why a part may not be on disk.

    Args:
        part: its path.
        file: the part as it was written, None where only its path is known.
        written: whether `sync_all` has come first.
    """
    try:
        if file is None:
            _sync_path(part)
        elif written:
            file.check_written()
        else:
            file.sync()
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    return None


def _sync_path(part: Path) -> None:
    descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
