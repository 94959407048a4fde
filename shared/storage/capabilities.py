"""What a storage's file system offers of what the promise rests on, tried once at the start."""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass

from shared.storage.durability import can_sync_all, file_system, sync_folder
from shared.storage.locking import lock

_KINDS = {
    0xEF53: "ext4",
    0x58465342: "XFS",
    0x9123683E: "Btrfs",
    0xF2F52010: "F2FS",
    0x2FC12FC1: "ZFS",
    0x794C7630: "overlayfs",
    0x01021994: "tmpfs",
    0x858458F6: "ramfs",
    0x6969: "NFS",
    0xFE534D42: "SMB",
    0xFF534D42: "SMB",
    0x65735546: "FUSE",
    0x2011BAB0: "exFAT",
    0x4D44: "FAT",
    0x7366746E: "NTFS",
    0x01021997: "9p",
    0x00C36400: "CephFS",
    0x0BD00BD0: "Lustre",
}
"""Names of file systems by their number (statfs(2)), for the log alone."""

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})

_PROBE = re.compile(r"probe-[0-9a-f]{16}-[ab]")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What was found.

    Attributes:
        kind: name of the file system, or its number in hex.
        in_memory: it is lost with the machine's power.
        locks: parts can be locked (flock).
        folder_sync: folders can be synced for certain.
        whole_sync: it is known that one syncfs does for all files what fsync does for one.
        replaces: a rename replaces the file that has the name.
        attributes: files can have extended attributes.
    """

    kind: str
    in_memory: bool
    locks: bool
    folder_sync: bool
    whole_sync: bool
    replaces: bool
    attributes: bool

    @property
    def lacks(self) -> list[str]:
        """What the promise needs and the file system lacks, each with what is done instead."""
        lacking = {
            "it is in memory, so files do not survive a power cut": self.in_memory,
            "no file locks, so interrupted downloads start anew": not self.locks,
            "no certain sync of folders, so files are synced again once they are renamed": (
                not self.folder_sync
            ),
            "a rename replaces no file, so objects whose file exists fail": not self.replaces,
        }
        return [text for text, applies in lacking.items() if applies]


def is_probe(name: str) -> bool:
    """Return whether a file is one of a probe's, which a process that died may have left."""
    return _PROBE.fullmatch(name) is not None


def probe(folder: int) -> Capabilities:
    """Try what the file system of a folder offers, with two files of its own that are removed.

    Args:
        folder: descriptor of the folder of unfinished files.

    Raises:
        OSError: nothing can be tried, because the folder cannot be written.
    """
    number = file_system(folder)
    kind = _KINDS.get(number, hex(number))
    name = f"probe-{secrets.token_hex(8)}"
    first, second = f"{name}-a", f"{name}-b"
    try:
        descriptor = _create(folder, first)
        try:
            locks = lock(descriptor)
            attributes = _takes_attributes(descriptor)
        finally:
            os.close(descriptor)
        os.close(_create(folder, second))
        return Capabilities(
            kind,
            in_memory=kind in _IN_MEMORY,
            locks=locks,
            folder_sync=sync_folder(folder),
            whole_sync=can_sync_all(folder),
            replaces=_replaces(folder, first, second),
            attributes=attributes,
        )
    finally:
        for left in (first, second):
            with suppress(OSError):
                os.unlink(left, dir_fd=folder)


def _create(folder: int, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(name, flags, 0o600, dir_fd=folder)


def _replaces(folder: int, one: str, other: str) -> bool:
    try:
        os.rename(one, other, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.EEXIST, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS}:
            return False
        raise
    return True


def _takes_attributes(descriptor: int) -> bool:
    if not hasattr(os, "setxattr"):
        return False
    try:
        os.setxattr(descriptor, "user.probe", b"1")
    except OSError:
        return False
    return True
