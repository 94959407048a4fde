"""Whether a folder takes files: one is written to see."""

from __future__ import annotations

import os

from shared.storage.durability import sync

BYTES = 65_536
"""More than a file system keeps beside a file's name: it needs blocks of its own."""


def write_and_remove(folder: int, name: str) -> None:
    """Write a file, make it durable and remove it again.

    Args:
        folder: descriptor of the folder.
        name: of the file; one that is there is overwritten.

    Raises:
        OSError: the folder takes none.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        left = memoryview(bytes(BYTES))
        while left:
            left = left[os.write(descriptor, left) :]
        sync(descriptor)
    finally:
        os.close(descriptor)
        os.unlink(name, dir_fd=folder)
