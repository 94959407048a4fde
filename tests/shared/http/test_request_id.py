from __future__ import annotations

import shlex
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.request_id import FORM, accepted, is_safe

SAFE = [
    "1",
    "order-17",
    "6b1f0a6e-1f0e-4b52-9a43-3f6f0a8f9d11",
    "JKJaXmPLvHcESHA=",
    "Root=1-67891233-abcdef012345678912345678",
    "x" * 128,
]


@pytest.mark.parametrize("text", SAFE)
def test_ids_in_use_are_taken_over(text: str) -> None:
    assert accepted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "x" * 129,
        "a b",
        "a\n",
        "a\r\nb: c",
        "\x1b[2J",
        "a\u202eb",
        "größe",
        "=1",
        "-rf",
        "a,b",
    ],
)
def test_every_other_id_is_replaced(text: str | None) -> None:
    new = accepted(text)
    assert is_safe(new)
    assert new != accepted(text)


@given(st.from_regex(FORM, fullmatch=True))
def test_a_safe_id_is_one_word_wherever_it_is_shown(text: str) -> None:
    assert is_safe(text)
    assert text.isascii()
    assert text.isprintable()
    assert text.split() == [text]
    assert quote(text, safe=":=+/~") == text
    assert shlex.split(text) == [text]
