from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from shared.errors import FileMissing, FileUnreadable
from shared.storage import reading
from shared.storage.reading import StorageReader, Verdict

DIGEST = hashlib.sha256(b"content").digest()


@pytest.fixture
def files(tmp_path: Path) -> StorageReader:
    (tmp_path / "storage" / "a b").mkdir(parents=True)
    (tmp_path / "storage" / "a b" / "ü#?%.jpg").write_bytes(b"content")
    (tmp_path / "secret").write_bytes(b"content")
    return StorageReader(str(tmp_path / "storage"))


def verify(files: StorageReader, name: str, digest: bytes = DIGEST, size: int = 7) -> Verdict:
    return files.verify(name, size, digest, lambda: True)


def test_a_file_is_read_by_its_name(files: StorageReader) -> None:
    with files.open("a b/ü#?%.jpg") as file:
        assert (file.size, file.stream.read()) == (7, b"content")


@pytest.mark.parametrize("name", ["../secret", "a b/../../secret", "/etc/passwd", "", "x\0", "none",
                                  "a b/none", "a b/ü#?%.jpg/x", ".incoming/x"])  # fmt: skip
def test_no_name_leads_outside(files: StorageReader, name: str) -> None:
    with pytest.raises(FileMissing), files.open(name):
        pass
    assert verify(files, name) is Verdict.MISSING


def test_no_link_is_followed(files: StorageReader, tmp_path: Path) -> None:
    (tmp_path / "storage" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "storage" / "folder").symlink_to(tmp_path)
    for name in ("link", "folder/secret"):
        with pytest.raises(FileUnreadable, match="symbolic link"), files.open(name):
            pass
        assert verify(files, name) is Verdict.UNREADABLE


def test_what_is_no_plain_file_is_not_read(files: StorageReader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "storage" / "pipe")
    for name in ("pipe", "a b"):
        with pytest.raises(FileUnreadable), files.open(name):
            pass


def test_verify_compares_size_and_content(files: StorageReader) -> None:
    name = "a b/ü#?%.jpg"
    assert verify(files, name) is Verdict.MATCH
    assert verify(files, name, bytes(32)) is Verdict.DIFFERS
    assert verify(files, name, size=8) is Verdict.DIFFERS
    assert files.verify(name, 7, DIGEST, lambda: False) is Verdict.UNFINISHED


@pytest.mark.parametrize("at_once", [1, 3, 7, 8])
def test_verify_reads_a_file_in_blocks(
    files: StorageReader, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HASHED_AT_ONCE", at_once)
    name, calls = "a b/ü#?%.jpg", []

    def time_left() -> bool:
        calls.append(True)
        return len(calls) < 4

    expected = Verdict.UNFINISHED if at_once == 1 else Verdict.MATCH
    assert files.verify(name, 7, DIGEST, time_left) is expected
    assert len(calls) == min(4, -(-7 // at_once))


def test_an_empty_file_is_verified(files: StorageReader, tmp_path: Path) -> None:
    (tmp_path / "storage" / "empty").touch()
    assert verify(files, "empty", hashlib.sha256().digest(), 0) is Verdict.MATCH
    assert verify(files, "empty", DIGEST, 0) is Verdict.DIFFERS


def test_a_file_that_becomes_shorter_meanwhile_is_damaged(
    files: StorageReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HASHED_AT_ONCE", 3)

    def truncated() -> bool:
        os.truncate(tmp_path / "storage" / "a b" / "ü#?%.jpg", 4)
        return True

    assert files.verify("a b/ü#?%.jpg", 7, DIGEST, truncated) is Verdict.DIFFERS


def test_the_space_of_a_missing_storage_is_unknown(files: StorageReader, tmp_path: Path) -> None:
    assert 0 < files.space().free <= files.space().total
    with pytest.raises(FileUnreadable):
        StorageReader(str(tmp_path / "none")).space()
