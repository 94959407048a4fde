"""Making the names of placed files durable, with those of the folders on the way."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

from shared.errors import TransferError
from shared.storage.durability import (
    SYNC_ALL_FROM,
    can_sync_all,
    check_written,
    sync,
    sync_all,
    sync_folder,
)
from shared.storage.folders import open_folder
from shared.storage.os_errors import as_transfer_error
from shared.storage.placing import FolderNames


def sync_folders(
    root: int, placed: Mapping[FolderNames, Sequence[str]]
) -> dict[FolderNames, TransferError]:
    """Make names durable, up to the storage's own folder.

    A folder that existed already may have been made by a process that died before it synced its
    parent, so every folder up to the root is synced, once for the batch.

    Args:
        root: descriptor of the storage's folder.
        placed: by folder, the names of the files that were renamed into it.

    Returns:
        By folder, why its names may not be on disk.
    """
    needed = {folder[:depth] for folder in placed for depth in range(len(folder) + 1)}
    whole = len(needed) >= SYNC_ALL_FROM and can_sync_all(root)
    if whole:
        try:
            sync_all(root)
        except OSError:
            whole = False  # whose failure it was, each folder knows
    failed: dict[FolderNames, TransferError] = {}
    for folder in needed:
        try:
            with open_folder(root, folder, create=False) as descriptor:
                if whole:
                    check_written(descriptor)
                else:
                    _sync(descriptor, placed.get(folder, ()))
        except (OSError, TransferError) as error:
            failed[folder] = as_transfer_error(error)
    return {
        folder: failed[above]
        for folder in placed
        for above in failed
        if folder[: len(above)] == above
    }


def _sync(folder: int, names: Sequence[str]) -> None:
    """Sync a folder; where that is not certain to work, also the files that were renamed into it.

    SMB passes that on to its server, and FUSE to its program. The file system below them then
    has the new names too, if it has a journal: it writes its changes in their order.
    """
    if sync_folder(folder):
        return
    for name in names:
        with suppress(FileNotFoundError):  # renamed away by its owner
            _sync_file(folder, name)
    with suppress(OSError):  # it is asked for what it has, and may have nothing
        sync_all(folder)


def _sync_file(folder: int, name: str) -> None:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(name.encode(), flags | os.O_RDWR, dir_fd=folder)
    except PermissionError:  # SMB syncs what is open for writing, but a file's mode may forbid that
        descriptor = os.open(name.encode(), flags | os.O_RDONLY, dir_fd=folder)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
