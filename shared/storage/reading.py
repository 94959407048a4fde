"""The files on the storage, for reading alone. No link is followed, no name leads outside."""

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
from shared.storage.object_key import check_key

HASHED_AT_ONCE = 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: a pipe by the name of a file must not hold the request.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One open file.

    Attributes:
        stream: at its beginning.
        size: bytes.
        changed: when its content changed last, nanoseconds since the epoch.
    """

    stream: BinaryIO
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class Space:
    """The storage's room in bytes."""

    total: int
    free: int

    @property
    def used(self) -> int:
        """Bytes that files take, those of others included."""
        return self.total - self.free


class Verdict(enum.StrEnum):
    """What comparing a file with its record found."""

    MATCH = "match"
    """Size and SHA-256 are the recorded ones."""
    DIFFERS = "differs"
    """It is another content."""
    MISSING = "missing"
    """There is no such file."""
    UNREADABLE = "unreadable"
    """It cannot be read, or is no plain file."""
    UNFINISHED = "not checked"
    """There was no time left."""


class StoredFiles:
    """The files below one folder.

    Args:
        root: the storage's folder.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def path(self, file_name: str) -> str:
        """Gives where a file is, for a person to read."""
        return f"{self._root.rstrip('/')}/{file_name}"

    @contextmanager
    def open(self, file_name: str) -> Iterator[StoredFile]:
        """Opens a file for the block.

        Raises:
            FileMissing: there is none of this name.
            FileUnreadable: it cannot be read, is no plain file, or lies behind a link.
        """
        if check_key(file_name) is not None:
            raise FileMissing
        try:
            descriptor = self._descend(file_name.split("/"))
        except OSError as error:
            if error.errno in _NOT_THERE:
                raise FileMissing from error
            raise FileUnreadable(os.strerror(error.errno or 0)) from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise FileUnreadable("it is not a plain file")
        with os.fdopen(descriptor, "rb") as stream:
            yield StoredFile(stream, status.st_size, status.st_mtime_ns)

    def verify(
        self, file_name: str, size: int, sha256: bytes, time_left: Callable[[], bool]
    ) -> Verdict:
        """Reads a whole file again and compares it with what was recorded.

        Args:
            file_name: its name.
            size: recorded bytes.
            sha256: recorded digest.
            time_left: says whether to go on; asked after each megabyte.
        """
        digest = hashlib.sha256()
        try:
            with self.open(file_name) as file:
                if file.size != size:
                    return Verdict.DIFFERS
                while block := file.stream.read(HASHED_AT_ONCE):
                    if not time_left():
                        return Verdict.UNFINISHED
                    digest.update(block)
        except FileMissing:
            return Verdict.MISSING
        except (FileUnreadable, OSError):
            return Verdict.UNREADABLE
        return Verdict.MATCH if digest.digest() == sha256 else Verdict.DIFFERS

    def space(self) -> Space:
        """Gives the room of the file system.

        Raises:
            FileUnreadable: the storage's folder is not there.
        """
        try:
            found = os.statvfs(self._root)
        except OSError as error:
            raise FileUnreadable(error.strerror or "") from error
        return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)

    def _descend(self, segments: list[str]) -> int:
        # Segment by segment and each without following links: a path looked up at once could be
        # bent by whoever may write to the storage.
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for segment in segments[:-1]:
                inner = os.open(segment, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            return os.open(segments[-1], _FILE, dir_fd=folder)
        finally:
            os.close(folder)
