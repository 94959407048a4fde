"""Files leave the page cache without any right, and come back when they are read."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import pytest

from bench import scrub
from bench.objects import write_random

SIZE = 64 << 12


def cached(path: Path) -> int:
    """Return how many pages of a file the page cache has (mincore(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    pages = SIZE // mmap.PAGESIZE
    found = (ctypes.c_ubyte * pages)()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), SIZE) as mapped:
        address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(mapped)))
        failed = libc.mincore(address, ctypes.c_size_t(SIZE), found)
        assert failed == 0, os.strerror(ctypes.get_errno())
    return sum(page & 1 for page in found)


def test_dropped_files_are_read_from_disk_again(tmp_path: Path) -> None:
    file = write_random(tmp_path / "file", SIZE)
    scrub.drop([file])
    if cached(file):
        pytest.skip("the file system below the temporary folder is one in memory")
    scrub.read([file])
    assert cached(file) == SIZE // mmap.PAGESIZE
