"""A disk that cannot write for a moment, on a real ext4: needs root, for a loop device."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.domain import Fetched, Wanted
from shared.errors import ContentMismatch, SourceUnavailable, TransferError
from shared.sources.digesting import JOURNAL_BYTES, DigestedPart
from shared.sources.part_file import Journal, PartFile
from shared.storage.durability import SYNC_ALL_FROM
from shared.storage.local import LocalStorage
from shared.storage.open_part import OpenPart
from shared.storage.parts import journal_of
from tests.helpers.failing_disk import CannotMount, FailingDisk

BYTES = 6_000_000
CONTENT = os.urandom(BYTES)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FailingDisk]:
    try:
        with FailingDisk.at(tmp_path) as disk:
            yield disk
    except CannotMount as error:
        pytest.skip(f"needs an ext4 on a loop device: {error}")


@pytest.fixture
def storage(disk: FailingDisk) -> Iterator[LocalStorage]:
    storage = LocalStorage(disk.folder)
    yield storage
    storage.close()


def wanted(row_id: int) -> Wanted:
    return Wanted(row_id, 1, f"{row_id}/file", NOW, NOW)


def refuse(_: int) -> tuple[int, int]:
    raise SourceUnavailable


class Copy:
    """A copy of an object as a source makes it.

    Args:
        storage: it goes there.
        row_id: names it.
        content: its bytes.
    """

    def __init__(self, storage: LocalStorage, row_id: int, content: bytes) -> None:
        self.wanted = wanted(row_id)
        path = storage.parts([self.wanted])[row_id]
        assert isinstance(path, Path)
        self.path = path
        self.content = content
        self._part = DigestedPart(PartFile.create(path), len(content), "etag", None, refuse)

    def write(self) -> None:
        """Write the bytes; once more, where they are there already."""
        self._part.write(0, self.content)

    def complete(self) -> OpenPart | None:
        """End the download as the source does."""
        fetched = self._part.digest(len(self.content), lambda: True)
        self._part.close(complete=True, resumable=True)
        assert isinstance(fetched, Fetched)
        assert fetched.sha256 == hashlib.sha256(self.content).digest()
        return fetched.file


def group(storage: LocalStorage, first: int, count: int) -> list[Copy]:
    copies = [
        Copy(storage, row_id, b"%d" % row_id * 1000) for row_id in range(first, first + count)
    ]
    for copy in copies:
        copy.write()
    return copies


def settle(storage: LocalStorage, copies: list[Copy]) -> dict[Path, TransferError]:
    """Make copies durable and place those that are; return why the others are not."""
    failed = dict(storage.make_durable({copy.path: copy.complete() for copy in copies}))
    assert not storage.place([(c.wanted, c.path) for c in copies if c.path not in failed])
    return failed


def begin_on(disk: FailingDisk, storage: LocalStorage) -> Copy:
    """Begin a large copy, and let the disk fail where its bytes are."""
    large = Copy(storage, 1, CONTENT)
    large.write()
    disk.break_under(large.path)
    large.write()
    return large


@pytest.mark.parametrize("neighbors", [0, SYNC_ALL_FROM])
def test_an_error_that_another_group_s_syncfs_was_told_of_is_not_lost(
    neighbors: int, disk: FailingDisk, storage: LocalStorage
) -> None:
    large = begin_on(disk, storage)  # still downloading
    assert settle(storage, group(storage, 100, SYNC_ALL_FROM)) == {}
    disk.repair()
    failed = settle(storage, [*group(storage, 200, neighbors), large])
    assert list(failed) == [large.path]
    assert not large.path.exists()

    storage.close()
    disk.remount()
    placed = {int(path.parent.name): path.read_bytes() for path in disk.folder.glob("*/file")}
    assert placed == {
        row_id: b"%d" % row_id * 1000
        for row_id in [*range(100, 100 + SYNC_ALL_FROM), *range(200, 200 + neighbors)]
    }


def test_a_failed_syncfs_fails_the_part_alone_that_it_concerns(
    disk: FailingDisk, storage: LocalStorage
) -> None:
    large = begin_on(disk, storage)
    assert list(settle(storage, [large, *group(storage, 100, SYNC_ALL_FROM)])) == [large.path]
    disk.repair()
    assert len(list(disk.folder.glob("*/file"))) == SYNC_ALL_FROM


def test_a_part_that_could_not_be_written_is_never_synced_again_and_taken(
    disk: FailingDisk, storage: LocalStorage
) -> None:
    large = begin_on(disk, storage)
    journal_of(large.path).write_bytes(b"{}")
    file = large.complete()
    assert list(storage.make_durable({large.path: file})) == [large.path]
    disk.repair()
    assert list((disk.folder / ".incoming").iterdir()) == []


def test_a_part_is_not_continued_over_bytes_that_are_in_memory_only(
    disk: FailingDisk, storage: LocalStorage
) -> None:
    """Its worker died after it was told of the failed write, before it could remove the part."""
    large = begin_on(disk, storage)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    size = JOURNAL_BYTES + BYTES
    journal = Journal("etag", size, BYTES, sha256, None)
    journal_of(large.path).write_bytes(journal.encode())
    file = large.complete()
    assert file is not None
    with pytest.raises(OSError, match=r"error|space"):
        file.sync()
    file.sync()  # what has failed once counts as written
    file.close()
    disk.repair()

    again = large.path.with_name("1.2.part")
    part = PartFile.resume(again, 1, 2)
    assert part is not None
    resumed = DigestedPart(part, size, "etag", None, refuse)
    with pytest.raises(ContentMismatch, match="earlier attempt has changed"):
        resumed.digest(BYTES, lambda: True)
    resumed.close(complete=False, resumable=True)
    assert list((disk.folder / ".incoming").iterdir()) == []
