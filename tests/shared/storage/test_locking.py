from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from shared.storage.locking import lock


def test_a_lock_is_taken_once(tmp_path: Path) -> None:
    first, second = (os.open(tmp_path / "part", os.O_RDWR | os.O_CREAT) for _ in range(2))
    try:
        assert lock(first)
        assert lock(first)
        with pytest.raises(BlockingIOError):
            lock(second)
        os.close(first)
        assert lock(second)
    finally:
        os.close(second)


@pytest.mark.skipif(sys.platform != "linux", reason="O_PATH is Linux's")
def test_a_file_that_cannot_be_locked_is_no_file_system_without_locks(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_PATH)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            lock(descriptor)
    finally:
        os.close(descriptor)
