"""Permissions, group, time and extended attributes of placed files."""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.domain import Metadata, Wanted
from shared.errors import TransferError
from shared.sources.part_file import PartFile
from shared.storage.attributes import Attributes, masked
from shared.storage.local import LocalStorage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SEEN = Metadata(
    1_234_567_890.0,
    {"content-type": "image/jpeg", "etag": '"e1"', "x-amz-meta-camera": "Mästcam"},
)

OWNER, USER, GROUP, MASK, OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
NOBODY = 0xFFFFFFFF
DEFAULT, ACCESS = "system.posix_acl_default", "system.posix_acl_access"


def acl(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


WITH_MEMBER = acl(
    (OWNER, 7, NOBODY), (USER, 7, 65534), (GROUP, 5, NOBODY), (MASK, 7, NOBODY), (OTHERS, 0, NOBODY)
)
PLAIN = acl((OWNER, 7, NOBODY), (GROUP, 7, NOBODY), (OTHERS, 1, NOBODY))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


@pytest.fixture(params=[0o022, 0o002, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def place(
    root: Path, name: str, attributes: Attributes | None = None, seen: Metadata | None = SEEN
) -> Path:
    storage = LocalStorage(root, attributes=attributes)
    one = Wanted(1, 1, name, NOW, NOW)
    try:
        path = storage.parts([one])[1]
        if isinstance(path, TransferError):
            raise path
        part = PartFile.create(path)
        part.write(0, b"content")
        part.close(keep=True)
        assert storage.place([(one, path)], {1: seen} if seen else None) == {}
    finally:
        storage.close()
    return root / name


def kept_of(path: Path) -> tuple[str, int, bytes]:
    """Return permissions, group and ACL of a file."""
    try:
        entries = os.getxattr(path, ACCESS)
    except OSError:
        entries = b""
    status = path.stat()
    return stat.filemode(status.st_mode), status.st_gid, entries


def assert_as_made_there(placed: Path) -> None:
    """Compare a placed file with one that the kernel makes in the same folder."""
    native = placed.with_name("native")
    os.close(os.open(native, os.O_CREAT | os.O_WRONLY, 0o666))
    assert kept_of(placed) == kept_of(native)


def set_default_acl(folder: Path, entries: bytes) -> None:
    try:
        os.setxattr(folder, DEFAULT, entries)
    except OSError as error:
        pytest.skip(f"no ACLs here: {error}")


def test_permissions_follow_the_umask(umask: int, root: Path) -> None:
    placed = place(root, "a/b/file")
    assert stat.S_IMODE(placed.stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((root / "a/b").stat().st_mode) == 0o777 & ~umask
    assert stat.S_IMODE((root / ".incoming").stat().st_mode) == 0o770 & ~umask
    assert_as_made_there(placed)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to any group")
@pytest.mark.parametrize("where", ["", "team"])
def test_the_group_follows_a_set_group_id_folder(where: str, root: Path) -> None:
    folder = root / where
    folder.mkdir(exist_ok=True)
    (root / ".incoming").mkdir()
    os.chown(folder, -1, 12_345)
    folder.chmod(0o2775)
    placed = place(root, f"{where}/new/file".lstrip("/"))
    assert placed.stat().st_gid == 12_345
    assert placed.parent.stat().st_mode & stat.S_ISGID
    assert_as_made_there(placed)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to any group")
def test_a_folder_of_its_own_group_keeps_that_of_the_storage_out(root: Path) -> None:
    os.chown(root, -1, 12_345)
    root.chmod(0o2775)
    (root / "own").mkdir()
    (root / "own").chmod(0o755)
    assert_as_made_there(place(root, "own/file"))


@pytest.mark.parametrize("entries", [WITH_MEMBER, PLAIN], ids=["with a member", "plain"])
@pytest.mark.parametrize("where", ["", "team"])
def test_permissions_follow_the_folder_s_default_acl(
    where: str, entries: bytes, umask: int, root: Path
) -> None:
    assert umask is not None
    folder = root / where
    folder.mkdir(exist_ok=True)
    set_default_acl(folder, entries)
    placed = place(root, f"{where}/new/file".lstrip("/"))
    assert_as_made_there(placed)
    assert_as_made_there(place(root, f"{where}/direct".lstrip("/")))


def test_a_folder_without_a_default_acl_keeps_that_of_the_storage_out(
    umask: int, root: Path
) -> None:
    assert umask is not None
    (root / "own").mkdir()
    set_default_acl(root, WITH_MEMBER)
    assert_as_made_there(place(root, "own/file"))


def test_permissions_may_be_set(umask: int, root: Path) -> None:
    assert umask is not None
    (root / "team").mkdir()
    (root / "team").chmod(0o2700)
    placed = place(root, "team/new/file", Attributes(0o640, 0o750))
    assert stat.S_IMODE(placed.stat().st_mode) == 0o640
    assert stat.S_IMODE((root / "team/new").stat().st_mode) == 0o2750
    assert stat.S_IMODE((root / "team").stat().st_mode) == 0o2700  # it was there


def test_a_file_is_as_old_as_its_object(root: Path) -> None:
    assert place(root, "a").stat().st_mtime == SEEN.modified
    assert time.time() - place(root, "b", Attributes(source_time=False)).stat().st_mtime < 60
    assert time.time() - place(root, "c", seen=None).stat().st_mtime < 60


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e18])
def test_an_odd_time_does_no_harm(seconds: float, root: Path) -> None:
    assert place(root, "a", seen=Metadata(seconds)).read_bytes() == b"content"


def test_metadata_become_extended_attributes_where_there_are_any(root: Path) -> None:
    placed = place(root, "a", Attributes(extended=True))
    try:
        names = os.listxattr(placed)
        os.setxattr(root, "user.probe", b"")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    assert {name: os.getxattr(placed, name) for name in names if name.startswith("user.")} == {
        "user.content-type": b"image/jpeg",
        "user.etag": b'"e1"',
        "user.x-amz-meta-camera": "Mästcam".encode(),
    }
    assert not [n for n in os.listxattr(place(root, "b")) if n.startswith("user.")]


def test_what_does_not_fit_into_extended_attributes_does_no_harm(root: Path) -> None:
    seen = Metadata(None, {"x-amz-meta-" + "n" * 300: "v", "x-amz-meta-long": "v" * 100_000})
    assert place(root, "a", Attributes(extended=True), seen).read_bytes() == b"content"


def test_a_default_acl_is_masked_by_the_mode() -> None:
    assert masked(WITH_MEMBER, 0o640) == acl(
        (OWNER, 6, NOBODY),
        (USER, 7, 65534),
        (GROUP, 5, NOBODY),
        (MASK, 4, NOBODY),
        (OTHERS, 0, NOBODY),
    )
    assert masked(PLAIN, 0o666) == acl((OWNER, 6, NOBODY), (GROUP, 6, NOBODY), (OTHERS, 0, NOBODY))
