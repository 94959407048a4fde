"""Storages that are full, read-only, missing, barred, or in other hands."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.servers.account import CAP_DAC_READ_SEARCH, Account
from tests.faults.harness.arena import Arena, Trial
from tests.helpers.waiting import until


def errors(arena: Arena) -> set[str]:
    return {row.last_error or "" for row in arena.stack.rows()}


def wait_for_error(arena: Arena, beginning: str) -> None:
    until(
        lambda: any(error.startswith(beginning) for error in errors(arena)),
        f"an object to wait because of: {beginning}",
        30.0,
    )


@contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    """A memory file system in the storage's place; the service is at rest meanwhile."""
    command = ["mount", "-t", "tmpfs", "-o", options, "faults", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=60)


def remount(path: Path, options: str) -> None:
    command = ["mount", "-o", f"remount,{options}", str(path)]
    subprocess.run(command, check=True, timeout=60)


def test_a_full_storage_makes_objects_wait(arena: Arena) -> None:
    with (
        arena.stack.storage_on(mounted(arena.stack.storage, "size=2m")),
        arena.trial("storage full") as trial,
    ):
        trial.send("plain", count=5, size=1_000_000)
        wait_for_error(arena, "The local storage is full")
        remount(arena.stack.storage, "size=64m")
        trial.rest()
        assert {row.state for row in arena.stack.rows()} == {"synced"}


def test_a_read_only_storage_makes_objects_wait(arena: Arena) -> None:
    with (
        arena.stack.storage_on(mounted(arena.stack.storage, "size=64m")),
        arena.trial("storage read-only") as trial,
    ):
        remount(arena.stack.storage, "ro")
        trial.send("plain", count=5)
        wait_for_error(arena, "The local storage could not be written")
        remount(arena.stack.storage, "rw")
        trial.rest()
        assert {row.state for row in arena.stack.rows()} == {"synced"}


def test_a_missing_storage_makes_objects_wait(arena: Arena) -> None:
    storage = arena.stack.storage
    aside = storage.with_name("aside")
    with arena.trial("storage missing") as trial:
        storage.rename(aside)
        trial.send("plain", count=5)
        wait_for_error(arena, "The local storage could not be written")
        assert not storage.exists()
        aside.rename(storage)


def test_a_barred_storage_makes_objects_wait(arena: Arena) -> None:
    worker = arena.stack.trigger
    if os.geteuid() == 0:
        # Nothing is barred for root: its worker takes an account that may read and no more.
        nobody = pwd.getpwnam("nobody")
        worker.account = Account(nobody.pw_uid, nobody.pw_gid, (CAP_DAC_READ_SEARCH,))
        worker.restart()
    try:
        with arena.trial("storage barred") as trial:
            arena.stack.storage.chmod(0o555)
            trial.send("plain", count=5)
            wait_for_error(arena, "The local storage could not be written")
            arena.stack.storage.chmod(0o777)
    finally:
        arena.stack.storage.chmod(0o755)
        worker.account = None
        worker.restart()


def blocked(trial: Trial, arena: Arena) -> None:
    trial.send("plain", size=20_000, name="blocked")
    trial.send("plain", count=5)
    trial.rest()
    failed = [row for row in arena.stack.rows() if row.state == "failed"]
    assert [row.file_name for row in failed] == ["plain/20000/blocked"]
    assert "taken by something that is not a regular file" in (failed[0].last_error or "")


def test_a_folder_in_the_file_s_place_fails_that_object_alone(arena: Arena) -> None:
    with arena.trial("target is a folder") as trial:
        (arena.stack.storage / "plain/20000/blocked").mkdir(parents=True)
        blocked(trial, arena)


def test_a_link_is_never_followed_out_of_the_storage(arena: Arena, tmp_path: Path) -> None:
    with arena.trial("target is a link to the outside") as trial:
        (arena.stack.storage / "plain/20000").mkdir(parents=True)
        (tmp_path / "outside").write_text("mine")
        (arena.stack.storage / "plain/20000/blocked").symlink_to(tmp_path / "outside")
        trial.foreign = ["plain/20000/blocked"]
        blocked(trial, arena)
        assert (tmp_path / "outside").read_text() == "mine"


def test_a_linked_folder_is_never_followed_out_of_the_storage(arena: Arena, tmp_path: Path) -> None:
    with arena.trial("folder is a link to the outside") as trial:
        arena.stack.storage.joinpath("plain").mkdir()
        (arena.stack.storage / "plain/300").symlink_to(tmp_path)
        trial.foreign = ["plain/300"]
        trial.send("plain", size=300, name="blocked")
        trial.rest()
        assert [row.state for row in arena.stack.rows()] == ["failed"]
        assert not list(tmp_path.iterdir())


def test_a_file_changed_by_someone_else_is_replaced_whole(arena: Arena) -> None:
    with arena.trial("file changed by someone else") as trial:
        target = arena.stack.storage / "plain/20000/changed"
        target.parent.mkdir(parents=True)
        target.write_bytes(b"another program's, and longer than the object" * 1_000)
        trial.send("plain", size=20_000, name="changed")
        trial.rest()
        shutil.copyfile(target, target.with_name("theirs"))
        trial.foreign = ["plain/20000/theirs"]
