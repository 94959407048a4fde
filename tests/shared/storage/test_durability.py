from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from shared.storage.durability import can_sync_all, sync_all

linux = pytest.mark.skipif(sys.platform != "linux", reason="syncfs is Linux's")


def answer_for(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return can_sync_all(descriptor)
    finally:
        os.close(descriptor)


@linux
def test_a_memory_file_system_is_synced_whole() -> None:
    assert answer_for(Path("/dev/shm"))  # noqa: S108


@linux
@pytest.mark.parametrize("path", ["/proc", "/sys"])
def test_a_file_system_that_is_not_known_for_it_is_not(path: str) -> None:
    assert not answer_for(Path(path))


def test_what_is_no_open_file_is_not_synced() -> None:
    assert not can_sync_all(-1)
    with pytest.raises(OSError, match=r"Bad file descriptor|not implemented"):
        sync_all(-1)
