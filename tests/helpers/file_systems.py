"""File systems that change or refuse names, mounted for a test: needs root and their programs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.helpers.failing_disk import mounted, run

EXFAT_BYTES = 16 * 1024 * 1024
NTFS_BYTES = 8 * 1024 * 1024


@contextlib.contextmanager
def exfat(folder: Path, image: Path) -> Iterator[Path]:
    """Mount an exFAT, which folds case and refuses characters (packages exfatprogs, exfat-fuse).

    Args:
        folder: where.
        image: the file to keep it in.

    Raises:
        CannotMount: this machine or account cannot.
    """
    _allocate(image, EXFAT_BYTES)
    run("mkfs.exfat", image)
    with mounted(folder, "-t", "exfat-fuse", "-o", "loop,nonempty", image):
        yield folder


@contextlib.contextmanager
def lower_case_ntfs(folder: Path, image: Path) -> Iterator[Path]:
    """Mount an NTFS that shows every name in lower case (package ntfs-3g).

    Args:
        folder: where.
        image: the file to keep it in.

    Raises:
        CannotMount: this machine or account cannot.
    """
    _allocate(image, NTFS_BYTES)
    run("mkfs.ntfs", "-q", "-F", image)
    with mounted(folder, "-t", "lowntfs-3g", "-o", "loop,ignore_case,windows_names", image):
        yield folder


def _allocate(image: Path, size: int) -> None:
    with image.open("wb") as file:
        file.truncate(size)
