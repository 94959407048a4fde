"""Removing parts and journals that a dead worker left behind."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from shared.storage.capabilities import is_probe
from shared.storage.locking import lock
from shared.storage.naming import is_scratch, remove_scratch
from shared.storage.parts import is_unfinished


def sweep(folder: int, before: float) -> int:
    """Remove unfinished files that were last written before a moment and are not locked.

    A journal stays as long as its part does. Where the file system has no locks, the age decides.

    Args:
        folder: descriptor of the folder of unfinished files.
        before: the moment, in seconds since the epoch.

    Returns:
        How many parts were removed.

    Raises:
        OSError: the storage refuses some; the others are removed.
    """
    refused: list[OSError] = []

    def remove(name: str) -> bool:
        try:
            return _remove(folder, name, before)
        except OSError as error:
            refused.append(error)
            return False

    everything = os.listdir(folder)
    for name in filter(is_scratch, everything):
        with suppress(FileNotFoundError):  # its process is quicker
            if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < before:
                remove_scratch(folder, name)
    names = {name for name in everything if is_unfinished(name) or is_probe(name)}
    parts = {name for name in names if name.endswith(".part")}
    gone = {name for name in parts if remove(name)}
    for name in names - parts:
        if f"{name.rpartition('.')[0]}.part" not in parts - gone:
            remove(name)
    if refused:
        raise refused[0]
    return len(gone)


def _remove(folder: int, name: str, before: float) -> bool:
    with suppress(FileNotFoundError, BlockingIOError):  # gone meanwhile, or in use
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if status.st_mtime >= before or not stat.S_ISREG(status.st_mode):
            return False  # opening a pipe would block, and a link is not ours
        descriptor = _open(folder, name)
        try:
            lock(descriptor)
            os.unlink(name, dir_fd=folder)
        finally:
            os.close(descriptor)
        return True
    return False


def _open(folder: int, name: str) -> int:
    """Open a file for writing, as NFS locks no other; for reading where it is another account's."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(name, flags | os.O_RDWR, dir_fd=folder)
    except PermissionError:
        return os.open(name, flags | os.O_RDONLY, dir_fd=folder)
