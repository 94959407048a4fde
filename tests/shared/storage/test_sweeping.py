from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.storage.parts import is_unfinished, journal_of, part_name
from shared.storage.sweeping import sweep


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def lay_down(path: Path, changed_at: float) -> Path:
    path.write_bytes(b"x")
    os.utime(path, (changed_at, changed_at))
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1.1.part", True),
        ("17.3.journal", True),
        ("17.3.journal-new", True),
        ("1.part", False),
        ("a.1.part", False),
        ("1.1.part.bak", False),
        (".1.1.part", False),
    ],
)
def test_only_names_of_parts_and_journals_are_unfinished_files(name: str, expected: bool) -> None:
    assert is_unfinished(name) is expected


def test_the_names_of_a_part_and_its_journal_are_unfinished_files() -> None:
    part = Path(part_name(17, 3))
    assert is_unfinished(part.name)
    assert is_unfinished(journal_of(part).name)


def test_what_was_written_since_stays(folder: int, tmp_path: Path) -> None:
    lay_down(tmp_path / "1.1.part", 99)
    young = lay_down(tmp_path / "2.1.part", 100)
    assert sweep(folder, before=100) == 1
    assert list(tmp_path.iterdir()) == [young]


def test_a_journal_stays_as_long_as_its_part(folder: int, tmp_path: Path) -> None:
    part = lay_down(tmp_path / "1.1.part", 200)
    journal = lay_down(journal_of(part), 1)
    lay_down(tmp_path / "2.1.journal", 1)
    assert sweep(folder, before=100) == 0
    assert sorted(tmp_path.iterdir()) == sorted([part, journal])


def test_what_is_no_plain_file_is_left_alone_and_stops_nothing(folder: int, tmp_path: Path) -> None:
    target = lay_down(tmp_path / "target", 1)
    (tmp_path / "1.1.part").symlink_to(target)
    os.mkfifo(tmp_path / "2.1.part")
    lay_down(tmp_path / "3.1.part", 1)
    assert sweep(folder, before=2**40) == 1
    assert target.read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.1.part", "2.1.part", "target"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make another account's file")
def test_parts_of_another_account_that_cannot_be_written_are_swept(
    folder: int, tmp_path: Path
) -> None:
    lay_down(tmp_path / "1.1.part", 1).chmod(0o444)
    child = os.fork()
    if not child:
        try:
            os.fchmod(folder, 0o777)
            os.setuid(65534)
            os._exit(sweep(folder, before=100))
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert list(tmp_path.iterdir()) == []
