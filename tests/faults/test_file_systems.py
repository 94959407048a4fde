"""Storages on other file systems, each mounted for its test, copied to by the real worker.

What cannot be mounted on the machine that runs the tests, such as NFS and SMB, is described in
docs/file_systems.md.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults.harness.arena import Arena
from tests.helpers.failing_disk import CannotMount, FailingDisk, mounted, run
from tests.helpers.waiting import until

Mount = Callable[[Path, Path], AbstractContextManager[object]]
"""Mounts a file system, with a folder for what it needs, at a storage."""


def on_a_loop_device(size: str, *mkfs: str) -> Mount:
    """Return the mount of a disk image of this machine's kernel."""

    @contextmanager
    def mount(folder: Path, storage: Path) -> Iterator[None]:
        with mounted(storage, "-o", "loop", made(folder, size, *mkfs)):
            if (storage / "lost+found").exists():
                (storage / "lost+found").rmdir()
            yield

    return mount


def by_fuse(program: str, size: str = "", *mkfs: str) -> Mount:
    """Return the mount of a disk image, or of a folder where no size is given, by a program."""

    @contextmanager
    def mount(folder: Path, storage: Path) -> Iterator[None]:
        if os.geteuid():
            raise CannotMount("only root may mount")
        source: Path | str = folder / "branch"
        if size:
            image = made(folder, size, *mkfs)
            source = run("losetup", "--find", "--show", image).strip()
        else:
            (folder / "branch").mkdir()
        try:
            run(program, source, storage)
            try:
                yield
            finally:
                subprocess.run(["umount", "--lazy", str(storage)], check=True, timeout=60)
        finally:
            if size:  # it goes once it is no longer in use
                subprocess.run(["losetup", "--detach", str(source)], check=True, timeout=60)

    return mount


def made(folder: Path, size: str, *mkfs: str) -> Path:
    """Make an image with a file system."""
    image = folder / "image"
    run("truncate", "-s", size, image)
    run(*mkfs, image)
    return image


@contextmanager
def overlay(folder: Path, storage: Path) -> Iterator[None]:
    """Mount an overlay as containers have one below."""
    layers = {name: folder / name for name in ("lowerdir", "upperdir", "workdir")}
    for layer in layers.values():
        layer.mkdir()
    options = ",".join(f"{name}={layer}" for name, layer in layers.items())
    with mounted(storage, "-t", "overlay", "-o", options, "overlay"):
        yield


FILE_SYSTEMS: dict[str, Mount] = {
    "ext4": on_a_loop_device("64M", "mkfs.ext4", "-q", "-F"),
    "ext2": on_a_loop_device("64M", "mkfs.ext2", "-q", "-F"),
    "XFS": on_a_loop_device("320M", "mkfs.xfs", "-q"),
    "Btrfs": on_a_loop_device("256M", "mkfs.btrfs", "-q"),
    "overlayfs": overlay,
    "exFAT (FUSE)": by_fuse("mount.exfat-fuse", "64M", "mkfs.exfat"),
    "NTFS (FUSE)": by_fuse("ntfs-3g", "64M", "mkntfs", "-F", "-q"),
    "mergerfs (FUSE)": by_fuse("mergerfs"),
}


@pytest.mark.faults
@pytest.mark.parametrize("name", FILE_SYSTEMS)
def test_objects_arrive_on_this_file_system(name: str, arena: Arena, tmp_path: Path) -> None:
    storage = arena.stack.storage
    try:
        with (
            arena.stack.storage_on(FILE_SYSTEMS[name](tmp_path, storage)),
            arena.trial(f"storage on {name}") as trial,
        ):
            trial.send("plain", count=30)
            trial.send("plain", size=5_000_000)
            trial.rest()
            trial.send("plain", size=20_000, name="killed")
            arena.stack.trigger.kill()
            trial.rest()
            assert {row.state for row in arena.stack.rows()} == {"synced"}
    except CannotMount as error:
        pytest.skip(f"cannot be mounted here: {error}")


@pytest.mark.faults
def test_what_a_disk_did_not_write_for_a_moment_is_fetched_again(
    arena: Arena, tmp_path: Path
) -> None:
    storage = arena.stack.storage
    try:
        with arena.stack.storage_on(FailingDisk.at(tmp_path, storage)) as disk:
            (storage / "plain/20000").mkdir(parents=True)
            disk.break_new_files()
            with arena.trial("storage loses writes") as trial:
                trial.foreign = ["rest"]
                trial.send("plain", count=30)
                until(
                    lambda: any(row.last_error for row in arena.stack.rows()),
                    "an object to wait because of the disk",
                    30.0,
                )
                disk.repair()
                trial.rest()
                assert {row.state for row in arena.stack.rows()} == {"synced"}
                disk.forget()  # so that what the disk has is checked, not what memory has
    except CannotMount as error:
        pytest.skip(f"needs an ext4 on a loop device: {error}")
