"""A small disk of its own for the storage, to be filled and freed."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.helpers.failing_disk import mounted, run

DISK = "1G"
"""Enough for every object that is under way, see `clients.MOST_OUTSTANDING`."""

BLOCK = 4_096
REFILL_SECONDS = 0.2


@contextlib.contextmanager
def small_disk(folder: Path, storage: Path) -> Iterator[None]:
    """Mount an ext4 of its own at the storage.

    Args:
        folder: where its image is kept meanwhile.
        storage: where it is mounted.

    Raises:
        CannotMount: this machine or account cannot.
    """
    image = folder / "disk"
    try:
        run("truncate", "-s", DISK, image)
        # Nothing is reserved for root: a full disk is full for everyone.
        run("mkfs.ext4", "-q", "-m", "0", "-i", "8192", image)
        with mounted(storage, "-o", "loop", image):
            (storage / "lost+found").rmdir()
            yield
    finally:
        image.unlink(missing_ok=True)


def fill(file: Path) -> Callable[[], None]:
    """Fill a disk with one file, again whenever something is freed; return what frees it."""
    over = threading.Event()

    def keep_full() -> None:
        while not over.wait(REFILL_SECONDS):
            _fill(file)

    _fill(file)
    thread = threading.Thread(target=keep_full, name="filler")
    thread.start()

    def free() -> None:
        over.set()
        thread.join()
        file.unlink(missing_ok=True)

    return free


def _fill(file: Path) -> None:
    step = os.statvfs(file.parent).f_bavail * BLOCK
    while step >= BLOCK:
        try:
            with file.open("ab") as filler:
                os.posix_fallocate(filler.fileno(), filler.tell(), step)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            step //= 2
