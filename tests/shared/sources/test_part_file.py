from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from shared.sources.digests import Check
from shared.sources.part_file import LOOK_BACK, Journal, PartFile
from shared.storage.parts import journal_of, part_name

JOURNAL = Journal("tag", 100, 4, "00" * 32, Check("md5", "ab", 3))


def leave(folder: Path, attempt: int, content: bytes = b"proven") -> Path:
    """Leave the part of an earlier attempt of row 1, with its journal."""
    path = folder / part_name(1, attempt)
    part = PartFile.create(path)
    part.write(0, content)
    part.save(JOURNAL)
    part.close(keep=True)
    return path


def test_a_journal_is_read_as_it_was_written() -> None:
    assert Journal.decode(JOURNAL.encode()) == JOURNAL
    without = Journal("tag", 100, 4, "00" * 32, None)
    assert Journal.decode(without.encode()) == without


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        JOURNAL.encode()[:-1],
        JOURNAL.encode().replace(b'"proven": 4', b'"proven": 0'),
        JOURNAL.encode().replace(b'"proven": 4', b'"proven": 100'),
        JOURNAL.encode().replace(b'"proven": 4', b'"proven": "4"'),
        JOURNAL.encode().replace(b'"md5"', b'"md4"'),
        JOURNAL.encode().replace(b'"etag": "tag"', b'"etag": null'),
    ],
)
def test_what_is_not_a_journal_is_none(data: bytes) -> None:
    assert Journal.decode(data) is None


def test_a_part_is_read_where_it_was_written(tmp_path: Path) -> None:
    part = PartFile.create(tmp_path / "1.1.part")
    part.write(3, b"def")
    part.write(0, b"abc")
    buffer = memoryview(bytearray(10))
    assert bytes(buffer[: part.read(2, buffer)]) == b"cdef"
    part.close(keep=True)
    assert (tmp_path / "1.1.part").read_bytes() == b"abcdef"


def test_a_part_is_made_once(tmp_path: Path) -> None:
    PartFile.create(tmp_path / "1.1.part").close(keep=True)
    with pytest.raises(FileExistsError):
        PartFile.create(tmp_path / "1.1.part")


def test_a_part_that_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    part = PartFile.create(tmp_path / "1.1.part")
    part.save(JOURNAL)
    assert len(list(tmp_path.iterdir())) == 2
    part.close(keep=False)
    assert list(tmp_path.iterdir()) == []


def test_the_part_of_an_earlier_attempt_is_taken_over_with_its_journal(tmp_path: Path) -> None:
    older = leave(tmp_path, 1)
    newer = tmp_path / part_name(1, 3)
    part = PartFile.resume(newer, 1, 3)
    assert part is not None
    assert part.journal == JOURNAL
    part.close(keep=True)
    assert newer.read_bytes() == b"proven"
    assert journal_of(newer).exists()
    assert not older.exists()
    assert not journal_of(older).exists()


@pytest.mark.parametrize("attempt", [LOOK_BACK + 1, LOOK_BACK + 2])
def test_parts_are_looked_for_so_many_attempts_back(attempt: int, tmp_path: Path) -> None:
    leave(tmp_path, 1)
    part = PartFile.resume(tmp_path / part_name(1, attempt), 1, attempt)
    assert (part is not None) is (attempt <= LOOK_BACK + 1)
    if part is not None:
        part.close(keep=False)


def test_a_part_that_is_locked_shorter_or_without_a_journal_is_left_alone(tmp_path: Path) -> None:
    newer = tmp_path / part_name(1, 2)
    older = leave(tmp_path, 1, b"abc")  # the journal names four bytes
    assert PartFile.resume(newer, 1, 2) is None
    older.write_bytes(b"abcd")
    with older.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert PartFile.resume(newer, 1, 2) is None
    journal_of(older).unlink()
    assert PartFile.resume(newer, 1, 2) is None
    assert [path.name for path in tmp_path.iterdir()] == [older.name]
