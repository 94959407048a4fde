"""Whose a storage is: the mark in it, and what the ledger remembers."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.domain import Wanted
from shared.errors import StorageForeign, StorageUnavailable
from shared.ledger.ledger import Ledger
from shared.storage.local import LocalStorage
from shared.storage.ownership import Owner
from tests.helpers.failing_disk import CannotMount, mounted
from tests.helpers.waiting import join

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Remembered:
    """See `Binding`."""

    def __init__(self) -> None:
        self.place: str | None = None

    def bind(self, place: str) -> None:
        self.place = place


class FakeOwner:
    """See `Owner`."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self._remembered = Remembered()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def binding(self) -> Iterator[Remembered]:
        with self._lock:
            yield self._remembered


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


@pytest.fixture(params=["fake", "ledger"])
def owner(request: pytest.FixtureRequest) -> Iterator[Owner]:
    if request.param == "fake":
        yield FakeOwner("0123456789abcdef0123456789abcdef")
        return
    ledger = Ledger.at(request.getfixturevalue("database_url"))
    yield ledger.installation
    ledger.close()


@pytest.fixture
def stranger() -> Owner:
    return FakeOwner("f" * 32)


@pytest.fixture
def new(root: Path) -> Iterator[Callable[..., LocalStorage]]:
    """Make a storage, as each start of a worker does."""
    with contextlib.ExitStack() as opened:

        def make(owner: Owner, folder: Path = root) -> LocalStorage:
            storage = LocalStorage(folder, owner=owner)
            opened.callback(storage.close)
            return storage

        yield make


def part_of(storage: LocalStorage) -> Any:
    return storage.parts([Wanted(17, 3, "a/b", NOW, NOW)])[17]


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_the_first_start_marks_the_storage_and_parts_carry_the_identity(
    owner: Owner, root: Path, new: Callable[..., LocalStorage]
) -> None:
    (root / "of old").write_text("an upgrade finds files")
    for _ in range(2):
        assert part_of(new(owner)) == root / f".incoming/17.3.{owner.identity[:8]}.part"
    mark = f".incoming/owner/{owner.identity}"
    assert everything(root) == [".incoming", ".incoming/owner", mark, "of old"]


def test_another_installation_is_refused_and_writes_nothing(
    owner: Owner, stranger: Owner, root: Path, new: Callable[..., LocalStorage]
) -> None:
    part_of(new(owner)).write_text("ours")
    before = everything(root)
    other = new(stranger)
    refusal = part_of(other)
    assert isinstance(refusal, StorageForeign)
    assert owner.identity in str(refusal)
    assert stranger.identity in str(refusal)
    assert "./sync adopt-storage" in str(refusal)
    for act in (
        other.check_owner,
        lambda: other.sweep(-3600),
        lambda: other.discard(Wanted(17, 3, "a/b", NOW, NOW)),
    ):
        with pytest.raises(StorageForeign):
            act()
    assert isinstance(other.check(), StorageForeign)
    assert everything(root) == before


def test_a_storage_that_is_adopted_is_no_longer_the_other_s(
    owner: Owner, stranger: Owner, new: Callable[..., LocalStorage]
) -> None:
    running = new(owner)
    assert isinstance(part_of(running), Path)
    assert new(stranger).adopt() == [owner.identity]
    assert isinstance(part_of(new(stranger)), Path)
    assert isinstance(part_of(running), StorageForeign)
    assert running.adopt() == [stranger.identity]
    assert isinstance(part_of(running), Path)


def test_a_folder_without_the_mark_is_not_written(
    owner: Owner, root: Path, tmp_path: Path, new: Callable[..., LocalStorage]
) -> None:
    assert isinstance(part_of(new(owner)), Path)
    bare = tmp_path / "mount point without its mount"
    bare.mkdir()
    refusal = part_of(new(owner, bare))
    assert isinstance(refusal, StorageForeign)
    assert "is it mounted?" in str(refusal)
    with pytest.raises(StorageUnavailable):
        new(owner, bare).discard(Wanted(1, 1, "a", NOW, NOW))
    assert isinstance(new(owner, bare).check(), StorageForeign)
    assert everything(bare) == []
    assert new(owner, bare).adopt() == []
    assert isinstance(part_of(new(owner, bare)), Path)
    assert isinstance(part_of(new(owner, root)), Path)  # it has its mark still


def test_a_mount_that_goes_away_while_it_is_used_is_noticed(
    owner: Owner, root: Path, new: Callable[..., LocalStorage]
) -> None:
    storage = new(owner)
    try:
        with mounted(root, "-t", "tmpfs", "storage"):
            assert isinstance(part_of(storage), Path)
    except CannotMount as error:
        pytest.skip(str(error))
    assert isinstance(part_of(storage), StorageForeign)
    assert everything(root) == []


def test_a_storage_that_was_emptied_is_marked_again(
    owner: Owner, root: Path, new: Callable[..., LocalStorage]
) -> None:
    running = new(owner)
    for storage in (running, running, new(owner)):
        assert isinstance(part_of(storage), Path)
        shutil.rmtree(root / ".incoming")


def test_a_storage_that_was_moved_with_its_mark_is_known(
    owner: Owner, root: Path, tmp_path: Path, new: Callable[..., LocalStorage]
) -> None:
    assert isinstance(part_of(new(owner)), Path)
    shutil.copytree(root, tmp_path / "copy")
    shutil.rmtree(root)
    assert isinstance(part_of(new(owner, tmp_path / "copy")), Path)
    root.mkdir()
    assert isinstance(part_of(new(owner)), StorageForeign)  # the copy is the storage now


def test_workers_that_start_together_agree(owner: Owner, new: Callable[..., LocalStorage]) -> None:
    found: list[Any] = []
    storages = [new(owner) for _ in range(6)]
    threads = [threading.Thread(target=lambda s=s: found.append(part_of(s))) for s in storages]
    for thread in threads:
        thread.start()
    join(*threads)
    assert len(found) == 6
    assert all(isinstance(part, Path) for part in found)


def test_of_two_installations_that_start_together_at_most_one_has_the_storage(
    root: Path, new: Callable[..., LocalStorage]
) -> None:
    for turn in range(10):
        found: dict[str, Any] = {}
        owners = [FakeOwner(f"{digit}" * 32) for digit in "ab"]
        storages = {one.identity: new(one, folder := root / str(turn)) for one in owners}
        folder.mkdir()
        gate = threading.Barrier(2)

        def start(identity: str, storage: LocalStorage, gate: threading.Barrier, to: Any) -> None:
            gate.wait()
            to[identity] = part_of(storage)

        threads = [
            threading.Thread(target=start, args=(i, s, gate, found)) for i, s in storages.items()
        ]
        for thread in threads:
            thread.start()
        join(*threads)
        having = [i for i, part in found.items() if isinstance(part, Path)]
        again = [i for i, s in storages.items() if isinstance(part_of(s), Path)]
        assert len(having) <= 1
        assert len(again) == 1
