"""How written files are made to survive a power cut, with the system calls of this machine."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import re
import sys
from collections.abc import Callable
from functools import cache

SYNCFS_REPORTS_SINCE = (5, 8)
"""Linux before 5.8 returned success from syncfs(2) after a failed write (its manual page)."""

_SYNCED_WHOLE = {
    0xEF53: "ext2, ext3, ext4",
    0x58465342: "XFS",
    0x9123683E: "Btrfs",
    0xF2F52010: "F2FS",
    0x2FC12FC1: "ZFS",
    0x794C7630: "overlayfs",
    0x01021994: "tmpfs",
}
"""File systems, by their number (statfs(2)), whose syncfs does for all files what fsync does for
one. Not so behind FUSE: there it succeeds without telling the program that keeps the files
(mergerfs, sshfs, rclone), as the kernel passes it on to few of them. Nor on SMB, whose server is
told to write to disk by fsync alone. A file system that is not listed gets an fsync for each
file."""

_STATFS_BYTES = 256  # more than the structure has on any machine


def sync(descriptor: int) -> None:
    """Wait until a file's content, or a folder's names, are on disk.

    macOS's fsync leaves them in the drive's cache, so its F_FULLFSYNC is used (fsync(2) there).

    Raises:
        OSError: they may not be on disk.
    """
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(descriptor, full)
    else:
        os.fsync(descriptor)


def can_sync_all(descriptor: int) -> bool:
    """Return whether `sync_all` can be relied upon for the file system of an open file."""
    return _syncfs() is not None and _kind(descriptor) in _SYNCED_WHOLE


def sync_all(descriptor: int) -> None:
    """Wait until everything written to a file system is on disk.

    Args:
        descriptor: of any file of it, opened before what is to be synced was written, because
            syncfs reports the failures since then.

    Raises:
        OSError: something may not be on disk.
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


def _kind(descriptor: int) -> int:
    """Return the number of a file's file system, 0 where the system does not tell."""
    room = ctypes.create_string_buffer(_STATFS_BYTES)
    if ctypes.CDLL(None).fstatfs(ctypes.c_int(descriptor), room):
        return 0
    return int(ctypes.c_long.from_buffer(room).value)
