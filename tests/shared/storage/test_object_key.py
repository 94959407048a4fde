from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.storage.object_key import check_key, fold

SAFE = [
    "a",
    "a.jpg",
    "a b/c d.jpg",
    "ü/日本/🙂.jpg",
    "...",
    ".hidden",
    "~root",
    "a/.incoming",
    ".incoming2/a",
    "%2e%2e/%00",
    "a:b*?\"<>|'&$;`",
    "e\u0301",
    "a\u00a0b\u2028c\u200b",
    "x" * 255,
    "ü" * 127,
    "/".join(["x" * 255] * 4),
]

UNSAFE = [
    ("", "is empty"),
    ("/", "is an absolute path"),
    ("/etc/passwd", "is an absolute path"),
    ("//a", "is an absolute path"),
    ("a//b", "has an empty path segment"),
    ("a/", "has an empty path segment"),
    (".", 'has a "." path segment'),
    ("a/./b", 'has a "." path segment'),
    ("..", 'has a ".." path segment'),
    ("../a", 'has a ".." path segment'),
    ("a/../../b", 'has a ".." path segment'),
    ("a/..", 'has a ".." path segment'),
    ("a\\b", "contains a backslash"),
    ("..\\a", "contains a backslash"),
    ("a\0b", "contains a control character"),
    ("a\nb", "contains a control character"),
    ("a\x1b[2Jb", "contains a control character"),
    ("a\x7fb", "contains a control character"),
    ("a\x85b", "contains a control character"),
    ("\ud800", "is not valid Unicode"),
    ("x" * 256, "has a path segment longer than 255 bytes"),
    ("ü" * 128, "has a path segment longer than 255 bytes"),
    ("/".join(["x" * 255] * 4) + "/x", "is longer than 1024 bytes"),
    (".incoming", "begins with the reserved segment .incoming"),
    (".incoming/1.1.part", "begins with the reserved segment .incoming"),
    (".INCOMING/a", "begins with the reserved segment .incoming"),
]


@pytest.mark.parametrize("key", SAFE)
def test_an_ordinary_key_is_accepted_however_odd(key: str) -> None:
    assert check_key(key) is None


@pytest.mark.parametrize(("key", "reason"), UNSAFE)
def test_a_key_that_could_leave_or_disturb_the_storage_is_refused(key: str, reason: str) -> None:
    assert check_key(key) == reason


PIECES = [*"./\\a~\0\n ", "..", ".incoming", "ü"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_an_accepted_key_is_one_file_below_the_storage(key: str) -> None:
    if check_key(key) is None:
        joined = posixpath.normpath(posixpath.join("/storage", key))
        assert joined == f"/storage/{key}"
        assert not joined.startswith("/storage/.incoming/")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("IMG.JPG", "img.jpg"),
        ("\u00e9", "e\u0301"),
        ("\u00c9", "e\u0301"),
        ("\u03a3", "\u03c2"),
        ("\u212a", "k"),
        ("\ufb01", "FI"),
        ("\u00df", "\u1e9e"),
        ("\uac00", "\u1100\u1161"),
    ],
)
def test_names_that_a_file_system_may_take_for_one_fold_into_one(one: str, other: str) -> None:
    assert fold(f"folder/{one}") == fold(f"FOLDER/{other}")
    assert fold(one) != fold(f"{other}.")
