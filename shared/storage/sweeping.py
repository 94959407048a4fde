"""Removing parts and journals that a dead worker left behind."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress

from shared.storage.parts import is_unfinished


def sweep(folder: int, before: float) -> int:
    """Remove unfinished files that were last written before a moment and are not locked.

    A journal stays as long as its part does.

    Args:
        folder: descriptor of the folder of unfinished files.
        before: the moment, in seconds since the epoch.

    Returns:
        How many parts were removed.

    Raises:
        OSError: the storage refuses.
    """
    names = set(filter(is_unfinished, os.listdir(folder)))
    parts = {name for name in names if name.endswith(".part")}
    gone = {name for name in parts if _remove(folder, name, before)}
    for name in names - parts:
        if f"{name.rpartition('.')[0]}.part" not in parts - gone:
            _remove(folder, name, before)
    return len(gone)


def _remove(folder: int, name: str, before: float) -> bool:
    with suppress(FileNotFoundError, BlockingIOError):  # gone meanwhile, or in use
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if status.st_mtime >= before or not stat.S_ISREG(status.st_mode):
            return False  # opening a pipe would block, and a link is not ours
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(name, flags, dir_fd=folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=folder)
        finally:
            os.close(descriptor)
        return True
    return False
