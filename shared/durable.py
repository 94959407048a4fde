"""How written files are made to survive a power cut, with the system calls of this machine."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import re
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SYNCFS_REPORTS_SINCE = (5, 8)
"""Linux before 5.8 returned success from syncfs(2) after a failed write (its manual page)."""


def sync(descriptor: int) -> None:
    """Returns when a file's content, or a folder's names, are on disk.

    macOS's fsync leaves them in the drive's cache, so its F_FULLFSYNC is used (fsync(2) there).

    Raises:
        OSError: they may not be.
    """
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(descriptor, full)
    else:
        os.fsync(descriptor)


def can_sync_all() -> bool:
    """Says whether `sync_all` can be relied upon here."""
    return _syncfs() is not None


def sync_all(descriptor: int) -> None:
    """Returns when everything written to a file system is on disk.

    Args:
        descriptor: of any file of it, opened before what is to be synced was written, because
            syncfs reports the failures since then.

    Raises:
        OSError: something may not be.
    """
    syncfs = _syncfs()
    if syncfs is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@cache
def _syncfs() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    if release is None or (int(release[1]), int(release[2])) < SYNCFS_REPORTS_SINCE:
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if function is not None:
        function.argtypes, function.restype = [ctypes.c_int], ctypes.c_int
    return function
