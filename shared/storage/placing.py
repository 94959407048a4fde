"""Renaming parts to their files' names: each folder of a batch is opened once for all its files."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from shared.domain import Metadata, Wanted
from shared.errors import NameUnsafe, TransferError
from shared.injection_points import CrashPoint, injection_point
from shared.storage.attributes import Attributes, Finisher
from shared.storage.folders import check_target, open_folder
from shared.storage.naming import Spelling
from shared.storage.object_key import check_key
from shared.storage.os_errors import from_name_error
from shared.storage.parts import journal_of

FolderNames = tuple[str, ...]
"""The names of the folders on the way to a file, none for the storage's own."""

Targets = dict[int, tuple[str, Wanted]]
"""Files of one folder by row id, each with its name there."""


def group_by_folder(
    wanted: Iterable[Wanted],
) -> tuple[dict[FolderNames, Targets], dict[int, TransferError]]:
    """Sort objects by the folders of their files.

    Returns:
        The files of each folder; and by row id what is wrong with a name, always `NameUnsafe`.
    """
    folders: dict[FolderNames, Targets] = {}
    errors: dict[int, TransferError] = {}
    for one in wanted:
        reason = check_key(one.file_name)
        if reason is None:
            *folder, name = one.file_name.split("/")
            folders.setdefault(tuple(folder), {})[one.row_id] = name, one
        else:
            errors[one.row_id] = NameUnsafe(f"it {reason}")
    return folders, errors


def find_blocked(
    root: int, folder: FolderNames, targets: Targets, spelling: Spelling
) -> dict[int, TransferError]:
    """Return by row id why a file cannot be placed in its folder.

    Args:
        root: descriptor of the storage's folder.
        folder: below it; it may be missing yet.
        targets: the files.
        spelling: how names are told apart.
    """
    errors: dict[int, TransferError] = {}
    try:
        with open_folder(root, folder, create=False, check=spelling.check) as descriptor:
            for row_id, (name, wanted) in targets.items():
                try:
                    check_target(descriptor, name, wanted.file_name, spelling.check)
                except (OSError, TransferError) as error:
                    errors[row_id] = from_name_error(error)
    except FileNotFoundError:
        return {}
    except (OSError, TransferError) as error:
        return dict.fromkeys(targets, from_name_error(error))
    return errors


class Placer:
    """Renames the parts of one batch.

    Args:
        root: descriptor of the storage's folder.
        incoming: descriptor of the folder of parts.
        spelling: how names are told apart.
        attributes: what files and folders get beside their content.
    """

    def __init__(
        self, root: int, incoming: int, spelling: Spelling, attributes: Attributes
    ) -> None:
        self._root, self._incoming = root, incoming
        self._check, self._attributes = spelling.check, attributes

    def rename_into(
        self,
        folder: FolderNames,
        targets: Targets,
        parts: Mapping[int, Path],
        metadata: Mapping[int, Metadata],
    ) -> dict[int, TransferError]:
        """Rename the parts of a folder's files; return by row id why one is not in place.

        Args:
            folder: below the storage's; it is made where it is missing.
            targets: the files.
            parts: of each of them, by row id.
            metadata: of the objects, by row id, as far as it is known.
        """
        errors: dict[int, TransferError] = {}
        mode = self._attributes.folder_mode
        try:
            with open_folder(
                self._root, folder, create=True, mode=mode, check=self._check
            ) as descriptor:
                finisher = Finisher(self._attributes, self._incoming, descriptor)
                for row_id, (name, wanted) in targets.items():
                    part = parts[row_id]
                    try:
                        check_target(descriptor, name, wanted.file_name, self._check)
                        finisher.finish(part.name, metadata.get(row_id))
                        self._rename(part, descriptor, name, wanted)
                    except (OSError, TransferError) as error:
                        errors[row_id] = from_name_error(error)
        except (OSError, TransferError) as error:
            return dict.fromkeys(targets, from_name_error(error))
        return errors

    def _rename(self, part: Path, folder: int, name: str, wanted: Wanted) -> None:
        incoming = self._incoming
        os.rename(part.name, name.encode(), src_dir_fd=incoming, dst_dir_fd=folder)
        injection_point(CrashPoint.AFTER_RENAME)
        if wanted.progress.proven:  # otherwise it has none
            remove(incoming, journal_of(part).name)


def is_file(folder: int, name: str) -> bool:
    """Return whether a folder, given by its descriptor, has a plain file of this name."""
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def remove(folder: int, name: str) -> None:
    """Remove a file that may be gone already.

    Args:
        folder: its folder's descriptor.
        name: in that folder.

    Raises:
        OSError: it is still there.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
