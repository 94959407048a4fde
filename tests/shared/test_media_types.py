from __future__ import annotations

import pytest

from shared.media_types import file_type


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a/b.JPG", "image/jpeg"),
        ("b.tar.gz", "application/gzip"),
        ("README", "application/octet-stream"),
        ("data:text/html,x", "application/octet-stream"),
    ],
)
def test_a_type_is_guessed_by_the_end_of_a_key(key: str, expected: str) -> None:
    assert file_type(key) == expected
