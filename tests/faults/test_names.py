"""Storages whose file system folds case and refuses characters: needs root, for the mount."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness.arena import Arena
from tests.helpers.failing_disk import CannotMount
from tests.helpers.file_systems import exfat


def test_no_file_replaces_one_of_another_name(arena: Arena, tmp_path: Path) -> None:
    storage = arena.stack.storage
    marks = [mark.relative_to(storage) for mark in storage.glob(".incoming/owner/*")]
    try:
        with exfat(storage, tmp_path / "image"):
            for mark in marks:
                (storage / mark).mkdir(parents=True)
            with arena.trial("storage folds names (exFAT)") as trial:
                names = [f"{case}_{n}.JPG" for n in range(10) for case in ("IMG", "img", "Img")]
                for name in [*names, "a:b", "what?"]:
                    trial.send("plain", name=name)
                trial.rest()
                rows = arena.stack.rows()
                synced = [row.file_name for row in rows if row.state == "synced"]
                assert len({name.lower() for name in synced}) == len(synced) == 10
                refused = {
                    row.file_name: row.last_error or "" for row in rows if row.state == "failed"
                }
                assert len(refused) == 22
                for name, error in refused.items():
                    reason = "is refused" if name[-4:] != ".JPG" else "which is there already"
                    assert error.startswith("The local storage cannot keep a file of this name")
                    assert reason in error
                attempts = "SELECT max(attempts) FROM file_sync WHERE state = 'failed'"
                assert arena.stack.query(attempts) == [(1,)]
    except CannotMount as error:
        pytest.skip(str(error))
