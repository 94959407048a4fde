"""What a file gets beside its content: permissions, group, time, extended attributes.

A file belongs where it ends, and is written elsewhere, in `.incoming`. What the kernel would have
given it in its own folder, by a set-group-id bit or a default ACL, is therefore made up for before
it is renamed.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from shared.domain import Metadata
from shared.storage.folders import set_mode

logger = logging.getLogger(__name__)

MODE = 0o666
"""Permissions of a new file before the umask, or the default ACL, takes some away."""

_DEFAULT_ACL, _ACL = "system.posix_acl_default", "system.posix_acl_access"
_ENTRY = struct.Struct("<HHI")
_OWNER, _GROUP, _MASK, _OTHERS = 0x01, 0x04, 0x10, 0x20
"""Tags of linux/posix_acl.h; each entry has a tag, permissions and an id, after 4 bytes."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is wanted of files and folders.

    Attributes:
        file_mode: permissions of every file; the umask and the folder decide where None.
        folder_mode: permissions of every folder that is made.
        source_time: a file is as old as its object, not as its copy.
        extended: content type, ETag and user metadata become extended attributes.
    """

    file_mode: int | None = None
    folder_mode: int | None = None
    source_time: bool = True
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the kernel gives a new file because of its folder.

    Attributes:
        group: of the folder where it passes it on, None where the process's own counts.
        acl: the folder's default ACL, None where it has none.
    """

    group: int | None
    acl: bytes | None

    @classmethod
    def of(cls, folder: int) -> Inherited:
        """Return what a folder, given by its descriptor, passes on."""
        status = os.fstat(folder)
        return cls(status.st_gid if status.st_mode & stat.S_ISGID else None, _default_acl(folder))


class Finisher:
    """Sets on parts what the files of one folder have.

    Args:
        attributes: what is wanted.
        incoming: descriptor of the folder of parts.
        folder: descriptor of the folder that they will be in.
    """

    def __init__(self, attributes: Attributes, incoming: int, folder: int) -> None:
        self._wanted = attributes
        self._incoming = incoming
        self._here, self._there = Inherited.of(incoming), Inherited.of(folder)
        self._opens = (
            self._here != self._there or attributes.file_mode is not None or attributes.extended
        )

    def finish(self, part: str, metadata: Metadata | None) -> None:
        """Give a part what its file is to have; the file is right without it, so nothing is raised.

        Its time comes last, right before the caller renames it: by its age a part is swept.

        Args:
            part: its name.
            metadata: of its object, where it is known.
        """
        try:
            if self._opens:
                with _opened(self._incoming, part) as descriptor:
                    self._give(descriptor, metadata)
            if self._wanted.source_time and metadata is not None and metadata.modified is not None:
                times = (time.time_ns(), int(metadata.modified * 1_000_000_000))
                os.utime(part, ns=times, dir_fd=self._incoming, follow_symlinks=False)
        except FileNotFoundError:
            pass  # the rename will name it
        except (OSError, OverflowError) as error:
            logger.warning("attributes not set", extra={"part": part, "reason": str(error)})

    def _give(self, descriptor: int, metadata: Metadata | None) -> None:
        if self._here.group != self._there.group:
            group = os.getegid() if self._there.group is None else self._there.group
            with suppress(PermissionError):  # of a group that this account is not in
                os.fchown(descriptor, -1, group)
        if self._here.acl != self._there.acl:
            _set_acl(descriptor, self._there.acl)
        if self._wanted.file_mode is not None:
            set_mode(descriptor, self._wanted.file_mode)
        if self._wanted.extended and metadata is not None:
            _set_extended(descriptor, metadata.headers)


@contextmanager
def _opened(folder: int, name: str) -> Iterator[int]:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _default_acl(folder: int) -> bytes | None:
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(folder, _DEFAULT_ACL)
    except OSError:
        return None


def _set_acl(descriptor: int, inherited: bytes | None) -> None:
    """Set the ACL that a new file has in a folder with this default ACL, see acl(5)."""
    if inherited is None:
        with suppress(OSError):
            os.removexattr(descriptor, _ACL)
        set_mode(descriptor, MODE & ~_umask())
    else:
        os.setxattr(descriptor, _ACL, masked(inherited, MODE))


def masked(acl: bytes, mode: int) -> bytes:
    """Return a default ACL as the access ACL of a file that is made with a mode.

    Args:
        acl: as the extended attribute has it.
        mode: permissions that no entry of the file's owner, mask (or group) and others exceeds.
    """
    entries = list(_ENTRY.iter_unpack(acl[4:]))
    group = _MASK if any(tag == _MASK for tag, _, _ in entries) else _GROUP
    most = {_OWNER: mode >> 6 & 7, group: mode >> 3 & 7, _OTHERS: mode & 7}
    return acl[:4] + b"".join(
        _ENTRY.pack(tag, permissions & most.get(tag, 7), who) for tag, permissions, who in entries
    )


def _umask() -> int:
    """Return the umask; asking the system call would change it for all threads for a moment."""
    found = re.search(r"^Umask:\s*([0-7]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1], 8) if found else 0o022


def _set_extended(descriptor: int, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        with suppress(OSError):  # there is no room, or there are none
            os.setxattr(descriptor, f"user.{name}", value.encode())
