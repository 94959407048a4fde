from __future__ import annotations

import pytest

from functions.admin.errors import FormInvalid
from functions.admin.web.forms import CONTENT_TYPE, MAX_BYTES, MAX_FIELDS, read_form
from shared.http.event import Request


def request(body: bytes, content_type: str = CONTENT_TYPE) -> Request:
    headers = {"content-type": content_type}
    return Request("POST", "/", {}, headers, {}, body, "", "r")


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"a=1&b=&a=2", {"a": ["1", "2"], "b": [""]}),
        (b"a=%C3%BC+x&b=%ff", {"a": ["ü x"], "b": ["\N{REPLACEMENT CHARACTER}"]}),
        (b"\xff=1", {"\N{REPLACEMENT CHARACTER}": ["1"]}),
    ],
)
def test_fields_are_read(body: bytes, form: dict[str, list[str]]) -> None:
    assert read_form(request(body)) == form
    assert read_form(request(body, f"{CONTENT_TYPE}; charset=UTF-8")) == form


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"a" * (MAX_BYTES + 1), "too large"),
        (b"a=1&" * (MAX_FIELDS + 1), "too many fields"),
    ],
)
def test_a_form_is_bounded(body: bytes, reason: str) -> None:
    with pytest.raises(FormInvalid, match=reason):
        read_form(request(body))
    with pytest.raises(FormInvalid, match="expected"):
        read_form(request(b"a=1", "application/json"))
