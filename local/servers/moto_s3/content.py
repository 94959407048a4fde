"""The bytes of an object, kept in a file."""

from __future__ import annotations

import os
from pathlib import Path


class StoredContent:
    """A part of a file, read as moto reads an object's temporary file.

    The file is open only while it is read: a process may have fewer files open than a bucket has
    objects.

    Args:
        path: the file.
        size: how many bytes of it.
        offset: where they begin.
    """

    def __init__(self, path: Path, size: int, offset: int = 0) -> None:
        self.path = path
        self.size = size
        self._offset = offset
        self._position = 0

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position, as a file does."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = base + position
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, all that are left by default."""
        left = max(0, self.size - self._position)
        with self.path.open("rb") as file:
            file.seek(self._offset + self._position)
            data = file.read(left if size < 0 else min(size, left))
        self._position += len(data)
        return data

    def close(self) -> None:
        """Do nothing: the store removes the file once nothing refers to it."""
