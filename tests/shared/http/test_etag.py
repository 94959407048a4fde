from __future__ import annotations

import re

import pytest

from shared.http.etag import is_unchanged, strong


def test_a_strong_tag_differs_with_every_byte() -> None:
    tags = {strong(content) for content in (b"", b"a", b"b", b"ab", b"a" * 9_000)}
    assert len(tags) == 5
    assert all(re.fullmatch(r'"[0-9a-f]{32}"', tag) for tag in tags)
    assert strong(b"a") == strong(b"a")


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, False),
        ("", False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ('"b",W/"a" , "c"', True),
        ("*", True),
        (" * ", True),
        ('"b"', False),
        ("a", False),
        ('"ab"', False),
        ('w/"a"', False),
    ],
)
def test_a_client_that_has_the_version_need_not_get_it(header: str | None, same: bool) -> None:
    assert is_unchanged(header, '"a"') is same
