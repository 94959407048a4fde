"""Reading stored files, for the admin: no link is followed, and path traversal is impossible."""

from __future__ import annotations

import enum
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from shared.errors import FileMissing, FileUnreadable
from shared.storage.folders import open_folder
from shared.storage.object_key import check_key

HASHED_AT_ONCE = 1024 * 1024
"""Bytes."""

# Not blocking: a pipe by the name of a file must not hold the request.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MISSING = {errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One open file.

    Attributes:
        stream: at its beginning.
        size: bytes.
        changed: when its content changed last, in nanoseconds since the epoch.
    """

    stream: BinaryIO
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class Space:
    """The size of the storage's file system in bytes."""

    total: int
    free: int

    @property
    def used(self) -> int:
        """Bytes in use, by any file of the file system."""
        return self.total - self.free


class Verdict(enum.StrEnum):
    """The result of comparing a file with its record, named as the ledger's `Verification`."""

    MATCH = "ok"
    """Size and SHA-256 are as recorded."""
    DIFFERS = "damaged"
    """The content is not the recorded one."""
    MISSING = "missing"
    """There is no such file."""
    UNREADABLE = "unreadable"
    """It cannot be read, or is not a plain file."""
    UNFINISHED = "not checked"
    """There was no time left."""


class StorageReader:
    """Opens and verifies the files of a storage; it never writes.

    Args:
        root: the storage's folder.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def path(self, file_name: str) -> str:
        """Return where a file is, for a person to read."""
        return f"{self._root.rstrip('/')}/{file_name}"

    @contextmanager
    def open(self, file_name: str) -> Iterator[StoredFile]:
        """Open a file for the time of a `with` block.

        Raises:
            FileMissing: there is none of this name.
            FileUnreadable: it cannot be read, is not a plain file, or lies behind a link.
        """
        descriptor, status = self._opened(file_name)
        with os.fdopen(descriptor, "rb") as stream:
            yield StoredFile(stream, status.st_size, status.st_mtime_ns)

    def verify(
        self, file_name: str, size: int, sha256: bytes, time_left: Callable[[], bool]
    ) -> Verdict:
        """Read a whole file again and compare it with what was recorded.

        Args:
            file_name: its name.
            size: recorded bytes.
            sha256: recorded digest.
            time_left: returns whether to go on; called after each `HASHED_AT_ONCE` bytes.
        """
        try:
            descriptor, status = self._opened(file_name)
            try:
                if status.st_size != size:
                    return Verdict.DIFFERS
                digest = _digest(descriptor, size, time_left)
            finally:
                os.close(descriptor)
        except FileMissing:
            return Verdict.MISSING
        except (FileUnreadable, OSError):
            return Verdict.UNREADABLE
        if digest is None:
            return Verdict.UNFINISHED
        return Verdict.MATCH if digest == sha256 else Verdict.DIFFERS

    def space(self) -> Space:
        """Return the size of the file system.

        Raises:
            FileUnreadable: the storage's folder is missing.
        """
        try:
            found = os.statvfs(self._root)
        except OSError as error:
            raise FileUnreadable(error.strerror or "") from error
        return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)

    def _opened(self, file_name: str) -> tuple[int, os.stat_result]:
        """Open a plain file, and return its descriptor, which is the caller's, and its status."""
        if check_key(file_name) is not None:
            raise FileMissing
        try:
            *folders, name = file_name.split("/")
            descriptor = self._open(folders, name)
        except OSError as error:
            if error.errno in _MISSING:
                raise FileMissing from error
            if error.errno == errno.ELOOP:
                raise FileUnreadable("it is a symbolic link, or lies behind one") from error
            raise FileUnreadable(os.strerror(error.errno or 0)) from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise FileUnreadable("it is not a plain file")
        return descriptor, status

    def _open(self, folders: list[str], name: str) -> int:
        root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not folders:
                return os.open(name.encode(), _FILE, dir_fd=root)
            with open_folder(root, folders, create=False) as folder:
                return os.open(name.encode(), _FILE, dir_fd=folder)
        finally:
            os.close(root)


def _digest(descriptor: int, size: int, time_left: Callable[[], bool]) -> bytes | None:
    """Return the SHA-256 of the first `size` bytes of a file, None if there is no time left.

    One buffer for all blocks, as large as is needed: without it the memory of each would be new to
    the kernel, which takes about as long as reading it.
    """
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(min(size, HASHED_AT_ONCE)))
    left = size
    while left:
        number = os.readv(descriptor, [buffer[:left]])
        if not number:
            break  # it was truncated meanwhile
        if not time_left():
            return None
        digest.update(buffer[:number])
        left -= number
    return digest.digest()
