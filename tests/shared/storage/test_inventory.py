from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.errors import StorageUnavailable
from shared.storage import inventory
from shared.storage.inventory import NOTHING, FileFound, Inventory

NAMES = ["a", "b/c", "b/d/e", "b/d/f", "b.x", "z/é", "\udcff"]
"""In the order of a walk: a folder's names sorted by their bytes."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (*NAMES, "lost+found/x", ".incoming/1.1.part", "b/lost+found"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode(errors="surrogateescape"))
    (tmp_path / "b" / "lost+found").unlink()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "empty").mkdir()
    return tmp_path


def everything() -> list[str]:
    return sorted([*NAMES, "link"], key=lambda name: os.fsencode(name).split(b"/"))


def test_a_walk_yields_every_file_once(root: Path) -> None:
    assert list(Inventory(str(root)).walk()) == everything()


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_a_walk_goes_on_behind_any_file(
    root: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "NAMES_AT_ONCE", at_once)
    expected = everything()
    for number, name in enumerate(expected):
        assert list(Inventory(str(root)).walk(name)) == expected[number + 1 :]


def test_a_walk_goes_on_behind_a_file_that_is_gone(root: Path) -> None:
    (root / "b" / "d" / "e").unlink()
    assert next(Inventory(str(root)).walk("b/d/e")) == "b/d/f"
    for file in ("b/d/f", "b/c"):
        (root / file).unlink()
    (root / "b" / "d").rmdir()
    assert next(Inventory(str(root)).walk("b/d/e")) == "b.x"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("b", ["b/c", "b/d/e", "b/d/f", "b.x"]),
        ("b/", ["b/c", "b/d/e", "b/d/f"]),
        ("b/d/f", ["b/d/f"]),
        ("nothing", []),
    ],
)
def test_a_walk_keeps_to_its_prefix(root: Path, prefix: str, expected: Sequence[str]) -> None:
    assert list(Inventory(str(root)).walk(prefix=prefix)) == expected


def test_what_is_there_is_told_from_what_is_not(root: Path) -> None:
    found = Inventory(str(root)).find(["a", "b/c", "A", "b", "link", "link/x", "a/x", "no/x"])
    assert found == {
        "a": FileFound(1),
        "b/c": FileFound(3),
        "A": NOTHING,
        "no/x": NOTHING,
        "b": FileFound(None, "there is a folder in its place"),
        "link": FileFound(None, "there is a symbolic link in its place"),
        "link/x": FileFound(None, "'link' is a symbolic link, not a folder"),
        "a/x": FileFound(None, "'a' is a file, not a folder"),
    }


def test_a_name_that_the_system_cannot_have_is_missing(root: Path) -> None:
    assert Inventory(str(root)).find(["q" * 300]) == {"q" * 300: NOTHING}


def test_hard_links_of_two_spellings_are_both_there(root: Path) -> None:
    os.link(root / "a", root / "A")
    assert Inventory(str(root)).find(["a", "A"]) == {"a": FileFound(1), "A": FileFound(1)}


def test_hard_links_hide_no_other_name(root: Path) -> None:
    (root / "e\u0301").write_bytes(b"12")
    os.link(root / "e\u0301", root / "\u00e9")
    names = [*"abcdefgh", "e\u0301", "\u00e9"]
    found = Inventory(str(root)).find(names)
    assert {name for name in names if found[name].size is not None} == {"a", "e\u0301", "\u00e9"}


def test_a_storage_that_is_not_there_is_not_empty(tmp_path: Path) -> None:
    gone = Inventory(str(tmp_path / "gone"))
    with pytest.raises(StorageUnavailable, match="no such file"):
        gone.find(["a"])
    with pytest.raises(StorageUnavailable, match="no such file"):
        list(gone.walk())


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_not_empty(root: Path) -> None:
    (root / "b").chmod(0)
    try:
        with pytest.raises(StorageUnavailable, match="'b': permission denied"):
            list(Inventory(str(root)).walk())
        with pytest.raises(StorageUnavailable, match="'b': permission denied"):
            Inventory(str(root)).find(["b/c"])
    finally:
        (root / "b").chmod(0o755)
