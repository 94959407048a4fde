"""Whether a folder takes files, and what time it is there: one is written to see."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from secrets import token_hex

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


def time_of(folder: int) -> float:
    """Return the time by the clock that gives files their times, in seconds since 1970.

    On a network file system that is its server's, which other machines' files were dated by, too.
    Where no file can be made, it is this machine's time.

    Args:
        folder: descriptor of the folder.
    """
    name = f"probe-{token_hex(8)}-a"  # if it stays, it is swept as a probe is
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    except OSError:
        return time.time()
    try:
        os.write(descriptor, b"\0")
        return os.fstat(descriptor).st_mtime
    except OSError:
        return time.time()
    finally:
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
