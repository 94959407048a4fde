from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from shared.errors import ContentMismatch, SourceUnavailable
from shared.sources.digesting import JOURNAL_BYTES, STEP_BYTES, DigestedPart
from shared.sources.digests import Check
from shared.sources.part_file import Journal, PartFile
from shared.storage.parts import journal_of

SIZE = JOURNAL_BYTES + 3 * STEP_BYTES
PIECE = bytes(range(256)) * (STEP_BYTES // 256)


def refuse(_: int) -> tuple[int, int]:
    raise SourceUnavailable


def going() -> bool:
    return True


def digest_of(count: int) -> bytes:
    """Return the SHA-256 of so many bytes of pieces."""
    digest = hashlib.sha256()
    for _ in range(count // STEP_BYTES):
        digest.update(PIECE)
    return digest.digest()


def begun(folder: Path, count: int, size: int = SIZE, check: Check | None = None) -> DigestedPart:
    """Return a part with its first bytes written, none digested."""
    part = DigestedPart(PartFile.create(folder / "1.1.part"), size, "tag", check, refuse)
    for position in range(0, count, STEP_BYTES):
        part.write(position, PIECE)
    return part


def test_appended_bytes_are_written_and_digested(tmp_path: Path) -> None:
    part = DigestedPart(PartFile.create(tmp_path / "1.1.part"), 6, "tag", None, refuse)
    part.append(b"abc")
    part.append(b"def")
    fetched = part.finish()
    part.close(complete=True, resumable=False)
    assert (tmp_path / "1.1.part").read_bytes() == b"abcdef"
    assert (fetched.size, fetched.etag, fetched.verified_by) == (6, "tag", "size")
    assert fetched.sha256 == hashlib.sha256(b"abcdef").digest()


def test_too_few_bytes_are_no_object(tmp_path: Path) -> None:
    part = DigestedPart(PartFile.create(tmp_path / "1.1.part"), 6, "tag", None, refuse)
    part.append(b"abc")
    with pytest.raises(ContentMismatch, match="3 of 6 bytes came"):
        part.finish()
    part.close(complete=False, resumable=True)
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_digested_up_to_the_frontier(tmp_path: Path) -> None:
    part = begun(tmp_path, 2 * STEP_BYTES, 2 * STEP_BYTES)
    assert part.digest(STEP_BYTES, going) is None
    assert part.position == STEP_BYTES
    fetched = part.digest(2 * STEP_BYTES, going)
    part.close(complete=True, resumable=False)
    assert fetched is not None
    assert fetched.sha256 == digest_of(2 * STEP_BYTES)


def test_digesting_stops_soon_after_the_copy_does(tmp_path: Path) -> None:
    part = begun(tmp_path, 4 * STEP_BYTES)
    looks = iter([True, False])
    assert part.digest(4 * STEP_BYTES, lambda: next(looks)) is None
    assert part.position == STEP_BYTES
    part.close(complete=False, resumable=False)


def test_what_is_proven_is_noted_and_continued(tmp_path: Path) -> None:
    proven = JOURNAL_BYTES + STEP_BYTES
    part = begun(tmp_path, proven)
    assert part.digest(proven, going) is None
    part.close(complete=False, resumable=True)
    path = tmp_path / "1.2.part"
    file = PartFile.resume(path, 1, 2)
    assert file is not None
    assert file.journal is not None
    assert (file.journal.size, file.journal.etag) == (SIZE, "tag")
    resumed = DigestedPart(file, SIZE, "tag", None, refuse)
    for position in range(file.journal.proven, SIZE, STEP_BYTES):
        resumed.write(position, PIECE)
    fetched = resumed.digest(SIZE, going)
    resumed.close(complete=True, resumable=True)
    assert fetched is not None
    assert fetched.sha256 == digest_of(SIZE)


def test_a_part_that_was_changed_since_is_refused_and_removed(tmp_path: Path) -> None:
    part = begun(tmp_path, JOURNAL_BYTES)
    part.digest(JOURNAL_BYTES, going)
    part.close(complete=False, resumable=True)
    with (tmp_path / "1.1.part").open("r+b") as file:
        file.write(b"changed")
    taken = PartFile.resume(tmp_path / "1.2.part", 1, 2)
    assert taken is not None
    resumed = DigestedPart(taken, SIZE, "tag", None, refuse)
    with pytest.raises(ContentMismatch, match="earlier attempt has changed"):
        resumed.digest(JOURNAL_BYTES, going)
    resumed.close(complete=False, resumable=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("resumable", [False, True])
def test_only_a_long_part_that_may_be_continued_is_kept(resumable: bool, tmp_path: Path) -> None:
    part = begun(tmp_path, STEP_BYTES, SIZE if resumable else JOURNAL_BYTES - 1)
    part.digest(STEP_BYTES, going)
    part.close(complete=False, resumable=True)
    assert (tmp_path / "1.1.part").exists() is resumable
    assert journal_of(tmp_path / "1.1.part").exists() is resumable


def test_the_end_is_never_noted_as_proven(tmp_path: Path) -> None:
    part = begun(tmp_path, SIZE, check=Check("md5", "00" * 16))
    with pytest.raises(ContentMismatch, match="MD5 does not match"):
        part.digest(SIZE, going)
    journal = Journal.decode(journal_of(tmp_path / "1.1.part").read_bytes())
    assert journal is not None
    assert journal.proven < SIZE
    part.close(complete=False, resumable=True)
    assert list(tmp_path.iterdir()) == []
