"""What every `Storage` holds: the real one, and the one whose failures tests choose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.domain import Wanted
from shared.errors import NameUnsafe, StorageUnavailable, TargetBlocked, TransferError
from shared.storage.interface import Storage
from shared.storage.local import LocalStorage
from tests.helpers.faulty_storage import FaultyStorage


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


@pytest.fixture(params=["local", "faulty"])
def storage(request: pytest.FixtureRequest, root: Path) -> Storage:
    local = LocalStorage(root)
    return local if request.param == "local" else FaultyStorage(local)


def wanted(name: str = "a.jpg", row_id: int = 1, attempt: int = 1) -> Wanted:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Wanted(row_id, attempt, name, now, now)


def part_of(storage: Storage, one: Wanted) -> Path:
    part = storage.parts([one])[one.row_id]
    assert isinstance(part, Path)
    return part


def store(storage: Storage, one: Wanted, body: bytes) -> Mapping[int, TransferError]:
    part = part_of(storage, one)
    part.write_bytes(body)
    assert storage.make_durable({part: None}) == {}
    return storage.place([(one, part)])


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_file_is_in_place_only_once_it_is_complete(storage: Storage, root: Path) -> None:
    one = wanted("folder/a.jpg")
    part = part_of(storage, one)
    part.write_bytes(b"content")
    assert names(root) == [".incoming/1.1.part"]
    assert storage.make_durable({part: None}) == {}
    assert not (root / "folder/a.jpg").exists()
    assert storage.place([(one, part)]) == {}
    assert (root / "folder/a.jpg").read_bytes() == b"content"
    assert names(root) == ["folder/a.jpg"]


def test_a_new_version_replaces_the_old_one(storage: Storage, root: Path) -> None:
    assert store(storage, wanted(row_id=1), b"old") == {}
    assert store(storage, wanted(row_id=2), b"new") == {}
    assert (root / "a.jpg").read_bytes() == b"new"


def test_each_row_and_attempt_has_a_part_of_its_own(storage: Storage) -> None:
    parts = {part_of(storage, wanted(row_id=n, attempt=m)) for n in (1, 2) for m in (1, 2)}
    assert len(parts) == 4


def test_each_file_fails_alone_and_with_its_reason(storage: Storage, root: Path) -> None:
    (root / "blocked").write_bytes(b"a file")
    batch = [wanted("fine", 1), wanted("../unsafe", 2), wanted("blocked/a", 3)]
    parts = storage.parts(batch)
    assert isinstance(parts[1], Path)
    assert isinstance(parts[2], NameUnsafe)
    assert isinstance(parts[3], TargetBlocked)
    files = []
    for one in batch:
        part = root / ".incoming" / f"{one.row_id}.1.part"
        part.write_bytes(b"content")
        files.append((one, part))
    assert {row_id: type(error) for row_id, error in storage.place(files).items()} == {
        2: NameUnsafe,
        3: TargetBlocked,
    }
    assert names(root) == [".incoming/2.1.part", ".incoming/3.1.part", "blocked", "fine"]


def test_a_missing_storage_is_never_made(storage: Storage, root: Path) -> None:
    root.rmdir()
    assert isinstance(storage.parts([wanted()])[1], StorageUnavailable)
    with pytest.raises(StorageUnavailable):
        storage.discard(wanted())
    assert not root.exists()


def test_discarding_removes_the_parts_of_one_row_and_may_be_repeated(
    storage: Storage, root: Path
) -> None:
    for row_id, attempt in ((1, 1), (1, 2), (2, 1)):
        part_of(storage, wanted(row_id=row_id, attempt=attempt)).write_bytes(b"x")
    for _ in range(2):
        storage.discard(wanted(row_id=1, attempt=2))
    assert names(root) == [".incoming/2.1.part"]


def test_a_sweep_counts_the_old_parts_that_it_removes(storage: Storage, root: Path) -> None:
    part_of(storage, wanted()).write_bytes(b"x")
    assert storage.sweep(older_than=3600) == 0
    assert names(root) == [".incoming/1.1.part"]
    assert storage.sweep(older_than=-3600) == 1
    assert names(root) == []
