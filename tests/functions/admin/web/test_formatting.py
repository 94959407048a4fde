from __future__ import annotations

import pytest

from functions.admin.web import formatting


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1550, "1.6 kB"), (99_949, "99.9 kB"),
     (999_600, "1 MB"), (123_456_789, "123 MB"), (5e15, "5 PB"), (5e18, "5000 PB")],
)  # fmt: skip
def test_sizes(number: float, words: str) -> None:
    assert formatting.size(number) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.25, "0.25 s"), (9.999, "10 s"), (59.6, "1 min"), (185, "3 min 5 s"),
     (3600, "1 h"), (7800, "2 h 10 min"), (90_000, "1 d 1 h"), (86_401, "1 d")],
)  # fmt: skip
def test_spans(seconds: float, words: str) -> None:
    assert formatting.span(seconds) == words


@pytest.mark.parametrize(
    ("file_type", "name", "word"),
    [("image/jpeg", "a/b.jpg", "JPG"), ("video/mp4", "noending", "MP4"), ("x", "a.<b>", "X"),
     ("/", "a.toolong", "FILE"), ("application/vnd.ms-excel", "a.b/c", "VNDM")],
)  # fmt: skip
def test_kinds(file_type: str, name: str, word: str) -> None:
    assert formatting.kind(file_type, name) == word


def test_counts_and_segments() -> None:
    assert formatting.count(1234567) == "1\u202f234\u202f567"
    assert formatting.segments("a/b/c.jpg") == ("a/b/", "c.jpg")
    assert formatting.segments("c.jpg") == ("", "c.jpg")
