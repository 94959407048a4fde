"""File systems that fold, refuse or change names; most need root, to mount them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.domain import Wanted
from shared.errors import NameRefused, TransferError
from shared.storage.inventory import NOTHING, Inventory
from shared.storage.local import LocalStorage
from shared.storage.naming import Names, Spelling, is_scratch, tell_apart
from tests.helpers.failing_disk import CannotMount
from tests.helpers.file_systems import exfat, lower_case_ntfs
from tests.helpers.waiting import join

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NFC, NFD = "\u00e9", "e\u0301"


@contextlib.contextmanager
def at(
    mount: Callable[[Path, Path], contextlib.AbstractContextManager[Path]], tmp_path: Path
) -> Iterator[LocalStorage]:
    try:
        with mount(tmp_path / "storage", tmp_path / "image"), contextlib.ExitStack() as opened:
            storage = LocalStorage(tmp_path / "storage")
            opened.callback(storage.close)
            yield storage
    except CannotMount as error:
        pytest.skip(str(error))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def folding(tmp_path: Path) -> Iterator[LocalStorage]:
    with at(exfat, tmp_path) as storage:
        yield storage


def wanted(name: str, row_id: int = 1) -> Wanted:
    return Wanted(row_id, 1, name, NOW, NOW)


def parts_of(storage: LocalStorage, *names: str, first: int = 1) -> Mapping[str, object]:
    """Return by name the part, or why there is none."""
    objects = [wanted(name, number) for number, name in enumerate(names, first)]
    parts = storage.parts(objects)
    return {one.file_name: parts[one.row_id] for one in objects}


def store(storage: LocalStorage, *names: str, first: int = 1) -> dict[str, TransferError]:
    """Place a batch of files, each with its name as its content; return by name what failed."""
    files, failed = [], {}
    for number, (name, part) in enumerate(parts_of(storage, *names, first=first).items(), first):
        if isinstance(part, TransferError):
            failed[name] = part
        else:
            assert isinstance(part, Path)
            part.write_bytes(f"{number} {name}".encode())
            files.append((wanted(name, number), part))
    storage.make_durable(dict.fromkeys(part for _, part in files))
    unplaced = storage.place(files)
    return failed | {w.file_name: unplaced[w.row_id] for w, _ in files if w.row_id in unplaced}


def files_of(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and ".incoming" not in path.parts
    }


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("IMG_1.JPG", "img_1.jpg", "'img_1.jpg' from 'IMG_1.JPG'"),
        ("\u00e9", "\u00c9", "'\u00c9' from '\u00e9'"),
        ("Photos/1", "photos/1", "'photos' from 'Photos'"),
        ("Photos/1", "PHOTOS/other", "'PHOTOS' from 'Photos'"),
        ("a/b/c", "a/B/c", "'a/B' from 'a/b'"),
        ("a/b", "A", None),  # a folder has that name
    ],
)
def test_a_name_that_is_anothers_is_refused_in_one_batch_and_in_the_next(
    first: str, second: str, reason: str | None, folding: LocalStorage, root: Path
) -> None:
    assert store(folding, first) == {}
    early = parts_of(folding, second, first=2)[second]  # before anything is downloaded
    assert isinstance(early, TransferError)
    if reason is not None:
        assert isinstance(early, NameRefused)
        assert f"it does not tell {reason}, which is there already" in str(early)
    assert files_of(root) == {first: f"1 {first}"}


def test_two_names_of_one_batch_cannot_both_be_placed(folding: LocalStorage, root: Path) -> None:
    failed = store(folding, "a.jpg", "A.JPG", "x/1", "X/2", "other")
    assert {name: type(error) for name, error in failed.items()} == {
        "A.JPG": NameRefused,
        "X/2": NameRefused,
    }
    assert files_of(root) == {"a.jpg": "1 a.jpg", "x/1": "3 x/1", "other": "5 other"}


def test_a_file_of_the_same_name_is_replaced(folding: LocalStorage, root: Path) -> None:
    names = ["IMG_1.JPG", "Photos/\u00e9"]
    assert store(folding, *names) == {}
    assert store(folding, *names, first=8) == {}
    assert files_of(root) == {"IMG_1.JPG": "8 IMG_1.JPG", "Photos/\u00e9": "9 Photos/\u00e9"}


def test_names_that_the_file_system_tells_apart_are_all_kept(
    folding: LocalStorage, root: Path
) -> None:
    names = [NFC, NFD, "\u00df", "\u1e9e", "ss", "x" * 255, "\u65e5" * 85, "a.", "a ", "CON"]
    assert store(folding, *names) == {}
    assert sorted(files_of(root)) == sorted(names)


@pytest.mark.parametrize("name", ["a:b", "c:/b", "a/b?", "*", 'a"', "a|b/c", "<a>"])
def test_what_the_file_system_refuses_fails_before_the_download(
    name: str, folding: LocalStorage, root: Path
) -> None:
    found = parts_of(folding, name, "fine")
    assert isinstance(found[name], NameRefused)
    assert "is refused (no such file or directory)" in str(found[name])
    assert isinstance(found["fine"], Path)
    assert not list((root / ".incoming").iterdir())


def test_a_file_is_found_by_its_own_spelling_alone(folding: LocalStorage, root: Path) -> None:
    names = [*(f"Name {n}" for n in range(9)), NFC]
    assert store(folding, *names) == {}
    others = [name.swapcase() for name in names]
    found = Inventory(str(root)).find([*others, *names, "007"])
    assert [name for name, there in found.items() if there != NOTHING] == names
    for name in others:
        assert Inventory(str(root)).find([name]) == {name: NOTHING}


def test_two_workers_at_the_same_moment_place_one_of_two_names(
    folding: LocalStorage, root: Path
) -> None:
    other = LocalStorage(root)
    locks: dict[str, threading.Lock] = {}
    failed: list[dict[str, TransferError]] = []

    def work(storage: LocalStorage, names: list[str], first: int) -> None:
        for number, name in enumerate(names, first):
            # As the ledger does: names that may be one are placed one after another.
            with locks.setdefault(name.lower(), threading.Lock()):
                failed.append(store(storage, name, first=number))

    lower, upper = [f"name {n}" for n in range(20)], [f"NAME {n}" for n in range(20)]
    threads = [
        threading.Thread(target=work, args=(folding, lower, 100)),
        threading.Thread(target=work, args=(other, upper, 200)),
    ]
    for thread in threads:
        thread.start()
    join(*threads)
    other.close()
    refused = {name for errors in failed for name in errors}
    assert len(refused) == 20
    assert set(files_of(root)) == {*lower, *upper} - refused
    assert all(content.endswith(name) for name, content in files_of(root).items())


def test_a_name_that_would_be_kept_as_another_fails_before_the_download(
    tmp_path: Path, root: Path
) -> None:
    with at(lower_case_ntfs, tmp_path) as storage:
        found = store(storage, "abc", "AbC", "\u00c9", "Folder/x", "x.", "CON", "a:b")
        assert {name: str(error).partition(": ")[2] for name, error in found.items()} == {
            "AbC": "'AbC' would be kept as 'abc'",
            "\u00c9": "'\u00c9' would be kept as '\u00e9'",
            "Folder/x": "'Folder' would be kept as 'folder'",
            "x.": "'x.' is refused (invalid argument)",
            "CON": "'CON' is refused (invalid argument)",
            "a:b": "'a:b' is refused (invalid argument)",
        }
        assert all(isinstance(error, NameRefused) for error in found.values())
        assert files_of(root) == {"abc": "1 abc"}


def test_a_plain_file_system_is_found_to_keep_every_name(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        names = Names.probe(descriptor)
    finally:
        os.close(descriptor)
    assert names.spelling == Spelling(folds=False)
    assert not names.strict
    assert not list(tmp_path.iterdir())


def test_a_spelling_is_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to("nowhere")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        for name in ("there", "link", "gone meanwhile"):
            Spelling(folds=True).check(descriptor, name, name)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ("IMG", "'img' from 'IMG'"),
        (None, "'img' from another spelling of it"),
        ("i\u0307mg", "'img' from 'i\u0307mg'"),
    ],
)
def test_two_names_are_told_apart_for_people(known: str | None, told: str) -> None:
    assert tell_apart("img", known) == told


def test_names_that_look_alike_are_told_by_their_code_points() -> None:
    assert tell_apart(f"a/{NFD}", f"a/{NFC}") == r"'a/e\u0301' from 'a/\xe9'"


def test_folders_of_a_probe_are_known_by_their_names() -> None:
    assert is_scratch("names-0123456789abcdef")
    assert not any(map(is_scratch, ["names-", "names-0123456789abcdeg", "1.1.part", "owner"]))
