from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared import errors
from shared.domain import Wanted
from shared.storage.durability import SYNC_ALL_FROM
from shared.storage.local import LocalStorage
from tests.helpers.waiting import join

NAMES = ["a.jpg", "folder/b.jpg", "x/y/z/ü 日本.jpg", "..a", "x/.incoming"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return LocalStorage(root)


def wanted(name: str = "a.jpg", row_id: int = 1, attempt: int = 1) -> Wanted:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Wanted(row_id, attempt, name, now, now)


def part_of(storage: LocalStorage, one: Wanted) -> Path:
    part = storage.parts([one])[one.row_id]
    if isinstance(part, errors.TransferError):
        raise part
    return part


def store(
    storage: LocalStorage, objects: dict[str, bytes], first: int = 1
) -> dict[int, errors.TransferError]:
    files = []
    for number, (name, body) in enumerate(objects.items(), first):
        one = wanted(name, number)
        part = part_of(storage, one)
        part.write_bytes(body)
        files.append((one, part))
    assert storage.make_durable(dict.fromkeys(part for _, part in files)) == {}
    return dict(storage.place(files))


def files_of(root: Path) -> dict[str, bytes]:
    found = (p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): p.read_bytes() for p in found}


@pytest.mark.parametrize("count", [1, SYNC_ALL_FROM, 3 * SYNC_ALL_FROM])
def test_files_are_in_place_with_their_content_and_nothing_else(
    count: int, storage: LocalStorage, root: Path
) -> None:
    objects = {f"{n % 5}/{n}/{NAMES[n % len(NAMES)]}": bytes([n]) * n for n in range(count)}
    assert store(storage, objects) == {}
    assert files_of(root) == objects


def test_a_part_is_named_after_its_row_and_attempt(storage: LocalStorage, root: Path) -> None:
    assert part_of(storage, wanted("k", 17, 3)) == root / ".incoming" / "17.3.part"


def test_an_older_file_is_replaced_and_its_journal_removed(
    storage: LocalStorage, root: Path
) -> None:
    store(storage, {"a": b"old"})
    one = wanted("a", 2)
    one.progress.proven = 2
    part = part_of(storage, one)
    part.write_bytes(b"new")
    part.with_suffix(".journal").write_bytes(b"{}")
    assert storage.place([(one, part)]) == {}
    assert files_of(root) == {"a": b"new"}


@pytest.mark.parametrize("name", ["../a", "/a", "a//b", "a\0b", ".incoming/1.1.part", ""])
def test_an_unsafe_name_is_refused_again(name: str, storage: LocalStorage, root: Path) -> None:
    with pytest.raises(errors.NameUnsafe):
        part_of(storage, wanted(name))
    part = part_of(storage, wanted("fine"))
    part.write_bytes(b"x")
    assert isinstance(storage.place([(wanted(name), part)])[1], errors.NameUnsafe)
    assert files_of(root) == {".incoming/1.1.part": b"x"}


def block_folder(root: Path, _: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)


def block_file(root: Path, _: Path) -> None:
    (root / "a").write_bytes(b"a file")


def block_link(root: Path, outside: Path) -> None:
    (root / "a").symlink_to(outside)


def block_inner_link(root: Path, outside: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "b").symlink_to(outside / "victim")


def block_dangling_link(root: Path, outside: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "b").symlink_to(outside / "nothing")


def block_pipe(root: Path, _: Path) -> None:
    (root / "a").mkdir()
    os.mkfifo(root / "a" / "b")


def block_socket(root: Path, _: Path) -> None:
    (root / "a").mkdir()
    before = os.open(".", os.O_RDONLY)
    os.chdir(root / "a")  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as endpoint:
            endpoint.bind("b")
    finally:
        os.chdir(before)
        os.close(before)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (block_folder, "'a/b' is a folder"),
        (block_file, "'a' is a file, not a folder"),
        (block_link, "'a' is a symbolic link, not a folder"),
        (block_inner_link, "'a/b' is a symbolic link"),
        (block_dangling_link, "'a/b' is a symbolic link"),
        (block_pipe, "'a/b' is a pipe"),
        (block_socket, "'a/b' is a socket"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_what_stands_in_the_way_is_named_and_never_followed_or_replaced(
    block: Callable[[Path, Path], None],
    reason: str,
    late: bool,
    storage: LocalStorage,
    root: Path,
    tmp_path: Path,
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_bytes(b"untouched")
    one = wanted("a/b")
    if late:  # it comes between the download and the rename
        part = part_of(storage, one)
        part.write_bytes(b"content")
        block(root, outside)
        error: Exception = storage.place([(one, part)])[1]
    else:
        block(root, outside)
        with pytest.raises(errors.TargetBlocked) as caught:
            part_of(storage, one)
        error = caught.value
    assert isinstance(error, errors.TargetBlocked)
    assert error.about == reason
    assert files_of(outside) == {"victim": b"untouched"}


def test_one_blocked_file_does_not_delay_the_others(storage: LocalStorage, root: Path) -> None:
    parts = {n: part_of(storage, wanted(f"{n}/f", n)) for n in range(20)}
    for number, part in parts.items():
        part.write_bytes(bytes([number]))
    (root / "7").write_bytes(b"")
    assert storage.make_durable(dict.fromkeys(parts.values())) == {}
    failed = storage.place([(wanted(f"{n}/f", n), part) for n, part in parts.items()])
    assert {n: type(e) for n, e in failed.items()} == {7: errors.TargetBlocked}
    assert len(list(root.glob("*/f"))) == 19


def test_a_part_that_is_gone_fails_alone(storage: LocalStorage, root: Path) -> None:
    kept, gone = part_of(storage, wanted("kept", 1)), part_of(storage, wanted("gone", 2))
    kept.write_bytes(b"x")
    assert storage.make_durable({kept: None, gone: None}) == {}
    failed = storage.place([(wanted("kept", 1), kept), (wanted("gone", 2), gone)])
    assert {n: type(e) for n, e in failed.items()} == {2: errors.StorageUnavailable}
    assert files_of(root) == {"kept": b"x"}


def test_a_missing_storage_is_an_error_and_is_never_made(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "unmounted")
    for act in (
        lambda: part_of(storage, wanted()),
        lambda: storage.sweep(0),
    ):
        with pytest.raises(errors.StorageUnavailable, match="missing"):
            act()
    failed = storage.place([(wanted(), tmp_path / "unmounted/.incoming/1.1.part")])
    assert isinstance(failed[1], errors.StorageUnavailable)
    assert not (tmp_path / "unmounted").exists()


def test_a_storage_that_was_replaced_is_used_as_it_is_now(
    storage: LocalStorage, root: Path, tmp_path: Path
) -> None:
    store(storage, {"a": b"1"})
    root.rename(tmp_path / "old")
    root.mkdir()
    store(storage, {"b": b"2"}, first=2)
    assert files_of(root) == {"b": b"2"}


def test_discarding_removes_what_every_attempt_of_a_row_left(
    storage: LocalStorage, root: Path
) -> None:
    for row_id, attempt in ((1, 1), (1, 3), (2, 1)):
        part = part_of(storage, wanted("k", row_id, attempt))
        part.write_bytes(b"x")
        part.with_suffix(".journal").write_bytes(b"{}")
    for _ in range(2):
        storage.discard(wanted("k", 1, 3))
        assert sorted(files_of(root)) == [".incoming/2.1.journal", ".incoming/2.1.part"]


def test_a_sweep_removes_old_parts_only(storage: LocalStorage, root: Path) -> None:
    store(storage, {"kept": b"x"}, first=9)
    for number, age in ((1, 3600), (2, 10)):
        for suffix in (".part", ".journal"):
            path = part_of(storage, wanted("k", number)).with_suffix(suffix)
            path.write_bytes(b"x")
            os.utime(path, (time.time() - age,) * 2)
    (root / ".incoming" / "somebody else's").write_bytes(b"x")
    os.utime(root / ".incoming" / "somebody else's", (0, 0))
    assert storage.sweep(older_than=60) == 1
    assert sorted(files_of(root)) == [
        ".incoming/2.1.journal",
        ".incoming/2.1.part",
        ".incoming/somebody else's",
        "kept",
    ]


def test_a_sweep_leaves_a_part_that_is_being_written(storage: LocalStorage) -> None:
    part = part_of(storage, wanted())
    part.write_bytes(b"x")
    os.utime(part, (0, 0))
    with part.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert storage.sweep(older_than=60) == 0
    assert storage.sweep(older_than=60) == 1


def test_workers_side_by_side_share_folders(root: Path) -> None:
    failures: list[object] = []

    def work(worker: int) -> None:
        storage = LocalStorage(root)
        for batch in range(5):
            first = worker * 1000 + batch * 100
            objects = {f"shared/{n}/{worker}": b"x" for n in range(20)}
            failures.extend(store(storage, objects, first).values())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    join(*threads)
    assert failures == []
    assert len(files_of(root)) == 80


def test_many_processes_may_look_at_one_storage_at_the_same_time(root: Path) -> None:
    # Containers of one storage have the same process ids, as threads have.
    storages = [LocalStorage(root) for _ in range(8)]
    with ThreadPoolExecutor(len(storages)) as threads:
        for _ in range(20):
            assert list(threads.map(LocalStorage.check, storages)) == [None] * len(storages)
    assert [path for path in root.rglob("*") if path.is_file()] == []
