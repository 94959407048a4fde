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

SYNC_ALL_FROM = 8
"""Number of files or folders from which one syncfs is quicker than an fsync each; measured, see
docs/decisions/0004-durability.md."""

_SYNCED_WHOLE = {
    0xEF53: "ext2, ext3, ext4",
    0x58465342: "XFS",
    0x9123683E: "Btrfs",
    0xF2F52010: "F2FS",
    0x01021994: "tmpfs",
}
"""File systems, by their number (statfs(2)), whose syncfs does for all files what fsync does for
one, and which keep a failed write with the page cache of its file, where `check_written` finds it.
Not so behind FUSE: there syncfs succeeds without telling the program that keeps the files
(mergerfs, sshfs, rclone), as the kernel passes it on to few of them. Nor on SMB, whose server is
told to write to disk by fsync alone; nor on overlayfs, whose files have their page cache in the
file system below; nor on ZFS, which has one of its own. A file system that is not listed gets an
fsync for each file."""

_FOLDERS_UNTOLD = frozenset({0xFE534D42, 0xFF534D42, 0x65735546})
"""SMB and FUSE: there the kernel itself may answer the fsync of a folder, with success, and those
who keep the files never hear of it (cifs_dir_fsync and fuse_dir_fsync in Linux)."""

_WAIT_BEFORE = 1
"""SYNC_FILE_RANGE_WAIT_BEFORE: wait for writes under way, and report the file's write error."""

NOT_OFFERED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY})
"""What a file system answers to a call that it does not have; none of them is a failed write."""

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


def sync_folder(descriptor: int) -> bool:
    """Wait until a folder's names are on disk.

    Returns:
        Whether they certainly are. Some file systems do not offer that, or not for certain.

    Raises:
        OSError: the names may not be on disk.
    """
    try:
        sync(descriptor)
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise
        return False
    return file_system(descriptor) not in _FOLDERS_UNTOLD


def can_sync_all(descriptor: int) -> bool:
    """Return whether `sync_all` can be relied upon for the file system of an open file."""
    offered = _syncfs() is not None and _sync_file_range() is not None
    return offered and file_system(descriptor) in _SYNCED_WHOLE


def check_written(descriptor: int) -> None:
    """Raise the write error of one file or folder, after `sync_all` has written all there was.

    `sync_all` reports a failed write once, to the first who asks, whatever file it concerned. The
    file itself reports it to each descriptor that was open when it happened (errseq_t in the
    kernel's documentation), once too. fsync would do, but makes the disk empty its cache again
    for every file; see docs/decisions/0018-write-errors.md.

    Args:
        descriptor: opened before what is to be checked was written.

    Raises:
        OSError: something is not on disk, and never will be: the next call finds nothing wrong.
    """
    wait = _sync_file_range()
    if wait is None:
        os.fsync(descriptor)
    elif wait(descriptor, 0, 0, _WAIT_BEFORE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def read_from_disk(descriptor: int) -> None:
    """See to it that a file is read from the disk from now on, not from the page cache.

    A page that could not be written counts as written from then on and stays in the page cache,
    where it looks right.

    Raises:
        OSError: what is in the page cache could not be written.
    """
    sync(descriptor)
    if sys.platform.startswith("linux"):  # elsewhere a page that was not written stays to be
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


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


@cache
def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if function is not None:
        whole = ctypes.c_int64
        function.argtypes, function.restype = (
            [ctypes.c_int, whole, whole, ctypes.c_uint],
            ctypes.c_int,
        )
    return function


def file_system(descriptor: int) -> int:
    """Return the number of a file's file system (statfs(2)), 0 where the system does not tell."""
    room = ctypes.create_string_buffer(_STATFS_BYTES)
    if ctypes.CDLL(None).fstatfs(ctypes.c_int(descriptor), room):
        return 0
    return int(ctypes.c_long.from_buffer(room).value)
