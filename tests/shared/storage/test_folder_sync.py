from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from shared.errors import StorageUnavailable
from shared.storage.durability import SYNC_ALL_FROM, sync_folder
from shared.storage.folder_sync import sync_folders
from shared.storage.placing import FolderNames


@pytest.fixture
def root(tmp_path: Path) -> int:
    for number in range(SYNC_ALL_FROM):
        (tmp_path / f"{number}/below").mkdir(parents=True)
        (tmp_path / f"{number}/below/file").write_bytes(b"x")
    return os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)


@pytest.mark.parametrize("count", [1, SYNC_ALL_FROM])
def test_a_folder_that_cannot_be_synced_fails_what_was_placed_below_it(
    count: int, root: int, tmp_path: Path
) -> None:
    placed: dict[FolderNames, list[str]] = {
        (f"{number}", "below"): ["file"] for number in range(count)
    }
    assert sync_folders(root, placed) == {}
    (tmp_path / "0").rename(tmp_path / "moved")
    assert {folder: type(error) for folder, error in sync_folders(root, placed).items()} == {
        ("0", "below"): StorageUnavailable
    }
    os.close(root)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's /proc has no sync of folders")
def test_where_folders_cannot_be_synced_their_files_are() -> None:
    root = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    assert not sync_folder(root)
    failed = sync_folders(root, {("self",): ["no such file"], (): ["uptime"]})
    os.close(root)
    assert set(failed) == {("self",), ()}
