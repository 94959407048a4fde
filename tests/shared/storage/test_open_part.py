from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from shared.errors import StorageUnavailable
from shared.storage.durability import SYNC_ALL_FROM
from shared.storage.local import LocalStorage
from shared.storage.open_part import SHARE, OpenPart


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "1.1.part", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    with suppress(OSError):
        os.close(descriptor)


def is_locked(part: Path) -> bool:
    with part.open("rb") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def hold(descriptor: int) -> OpenPart:
    held = OpenPart.of(descriptor)
    assert held is not None
    return held


def pipe() -> OpenPart:
    """Return what the system cannot make durable."""
    read, write = os.pipe()
    os.close(read)
    return OpenPart(write)


def test_a_part_stays_open_and_locked_until_it_is_closed(descriptor: int, tmp_path: Path) -> None:
    held = hold(descriptor)
    os.close(descriptor)
    assert is_locked(tmp_path / "1.1.part")
    held.sync()
    held.check_written()
    for _ in range(2):
        held.close()
    assert not is_locked(tmp_path / "1.1.part")
    with pytest.raises(ValueError, match="closed"):
        held.sync()


def test_a_part_that_is_given_up_is_closed(descriptor: int, tmp_path: Path) -> None:
    held = hold(descriptor)
    os.close(descriptor)
    del held
    assert not is_locked(tmp_path / "1.1.part")


def test_parts_never_take_the_descriptors_that_downloads_need(descriptor: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        held = [OpenPart.of(descriptor) for _ in range(1024)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    parts = [part for part in held if part is not None]
    assert 0 < len(parts) <= 1024 // SHARE
    for part in parts:
        part.close()


@pytest.mark.parametrize("others", [0, SYNC_ALL_FROM])
def test_what_the_system_cannot_make_durable_fails_alone_and_is_removed(
    others: int, tmp_path: Path
) -> None:
    storage = LocalStorage(tmp_path)
    incoming = tmp_path / ".incoming"
    incoming.mkdir()
    parts: dict[Path, OpenPart | None] = {}
    for number in range(others):
        path = incoming / f"{number}.1.part"
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.write(file, b"content")
        parts[path] = OpenPart(file)
    bad = incoming / "100.1.part"
    for path in (bad, bad.with_suffix(".journal")):
        path.write_bytes(b"looks right")
    parts[bad] = pipe()
    assert list(storage.make_durable(parts)) == [bad]
    assert sorted(incoming.iterdir()) == sorted(path for path in parts if path != bad)
    for part in parts.values():
        assert part is not None
        with pytest.raises(ValueError, match="closed"):
            part.sync()
    storage.close()


def test_parts_of_a_storage_that_is_gone_are_closed(descriptor: int, tmp_path: Path) -> None:
    held = hold(descriptor)
    missing = tmp_path / "unmounted"
    part = missing / ".incoming/1.1.part"
    failed = LocalStorage(missing).make_durable({part: held})
    assert {path: type(error) for path, error in failed.items()} == {part: StorageUnavailable}
    with pytest.raises(ValueError, match="closed"):
        held.sync()
