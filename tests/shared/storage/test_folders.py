from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import TargetBlocked
from shared.storage.folders import check_target, open_folder
from shared.storage.os_errors import NotAFolder


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "storage" / "a" / "b").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    descriptor = os.open(tmp_path / "storage", os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_folder_is_opened_and_closed_again(root: int, tmp_path: Path) -> None:
    before = descriptors()
    with open_folder(root, ["a", "b"], create=False) as folder:
        assert os.fstat(folder).st_ino == (tmp_path / "storage" / "a" / "b").stat().st_ino
        assert descriptors() == before + 1
    assert descriptors() == before


def test_no_names_mean_the_storage_itself(root: int) -> None:
    with open_folder(root, [], create=False) as folder:
        assert os.fstat(folder).st_ino == os.fstat(root).st_ino


def test_a_missing_folder_is_made_only_when_told_to(root: int, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_folder(root, ["x", "y"], create=False):
        pass
    assert not (tmp_path / "storage" / "x").exists()
    with open_folder(root, ["x", "y"], create=True):
        assert (tmp_path / "storage" / "x" / "y").is_dir()


@pytest.mark.parametrize("create", [False, True])
def test_a_link_is_never_followed(create: bool, root: int, tmp_path: Path) -> None:
    (tmp_path / "storage" / "a" / "link").symlink_to(tmp_path / "outside")
    before = descriptors()
    with (
        pytest.raises(NotAFolder, match="'a/link' is a symbolic link"),
        open_folder(root, ["a", "link", "below"], create=create),
    ):
        pass
    assert descriptors() == before
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_parent_that_becomes_a_link_meanwhile_leads_nowhere(root: int, tmp_path: Path) -> None:
    with open_folder(root, ["a", "b"], create=False) as folder:
        (tmp_path / "storage" / "a").rename(tmp_path / "moved")
        (tmp_path / "storage" / "a").symlink_to(tmp_path / "outside")
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    assert (tmp_path / "moved" / "b" / "file").exists()
    assert list((tmp_path / "outside").iterdir()) == []


def test_only_a_plain_file_may_be_replaced(root: int, tmp_path: Path) -> None:
    (tmp_path / "storage" / "file").write_bytes(b"x")
    check_target(root, "file", "file")
    check_target(root, "free", "free")
    with pytest.raises(TargetBlocked, match="'x/a' is a folder"):
        check_target(root, "a", "x/a")
