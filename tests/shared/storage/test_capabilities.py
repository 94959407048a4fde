from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.storage.capabilities import Capabilities, is_probe, probe
from shared.storage.local import LocalStorage
from shared.storage.sweeping import sweep

EVERYTHING = Capabilities(
    "ext4",
    in_memory=False,
    locks=True,
    folder_sync=True,
    whole_sync=True,
    replaces=True,
    attributes=True,
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_a_probe_finds_what_there_is_and_leaves_nothing(folder: int, tmp_path: Path) -> None:
    found = probe(folder)
    assert (found.locks, found.folder_sync, found.replaces) == (True, True, True)
    assert list(tmp_path.iterdir()) == []


def test_a_probe_of_a_memory_file_system_names_what_it_lacks() -> None:
    try:
        descriptor = os.open("/dev/shm", os.O_RDONLY | os.O_DIRECTORY)  # noqa: S108
        found = probe(descriptor)
    except OSError as error:
        pytest.skip(f"no memory file system: {error}")
    os.close(descriptor)
    assert found.kind == "tmpfs"
    assert found.lacks == ["it is in memory, so files do not survive a power cut"]


def test_a_folder_that_cannot_be_written_is_not_probed() -> None:
    descriptor = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(OSError, match=r"No such file|denied|not permitted"):
        probe(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize(
    ("found", "lacking"),
    [
        (EVERYTHING, []),
        (replace(EVERYTHING, whole_sync=False, attributes=False), []),  # slower, or not needed
        (replace(EVERYTHING, locks=False), ["no file locks"]),
        (replace(EVERYTHING, folder_sync=False), ["no certain sync of folders"]),
        (replace(EVERYTHING, replaces=False, locks=False), ["no file locks", "a rename replaces"]),
    ],
)
def test_what_the_promise_needs_and_the_storage_lacks_is_named(
    found: Capabilities, lacking: list[str]
) -> None:
    assert len(found.lacks) == len(lacking)
    for text, beginning in zip(found.lacks, lacking, strict=True):
        assert text.startswith(beginning)


def test_a_storage_is_probed_once_and_the_result_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = LocalStorage(tmp_path)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            storage.parts([])
    storage.close()
    (record,) = [r for r in caplog.records if r.getMessage() == "storage probed"]
    assert record.__dict__["locks"] is True


def test_what_a_probe_left_when_it_died_is_swept(folder: int, tmp_path: Path) -> None:
    left = tmp_path / f"probe-{'0' * 16}-a"
    left.write_bytes(b"")
    os.utime(left, (1, 1))
    other = tmp_path / "probe-notes.txt"
    other.write_bytes(b"")
    os.utime(other, (1, 1))
    assert is_probe(left.name)
    sweep(folder, before=100)
    assert list(tmp_path.iterdir()) == [other]
