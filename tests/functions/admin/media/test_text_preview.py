from __future__ import annotations

import json
import time

import pytest

from functions.admin.media.text_preview import (
    JSON_BYTES,
    MOST_CHARACTERS,
    TEXT_BYTES,
    decode,
    known_charset,
    preview,
)


@pytest.mark.parametrize(
    ("data", "declared", "text", "charset"),
    [
        ("naïve 日の出".encode(), "", "naïve 日の出", "utf-8"),
        ("naïve".encode("latin-1"), "", "naïve", "cp1252"),
        ("naïve".encode("latin-1"), "ISO-8859-1", "naïve", "iso8859-1"),
        ("日の出".encode("shift_jis"), "Shift_JIS", "日の出", "shift_jis"),
        ("привет".encode("koi8-r"), "koi8-r", "привет", "koi8-r"),
        ("naïve".encode("utf-16"), "", "naïve", "utf-16-le"),
        (b"\xef\xbb\xbf" + "é".encode(), "latin-1", "é", "utf-8"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>', "",
         '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>', "iso8859-1"),
        (b"a\xff\x81", "utf-8", "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}", "utf-8"),
        (b"61 62", "hex", "61 62", "utf-8"),
        (b"a", "unicode_escape", "a", "utf-8"),
        (b"a", "no such charset", "a", "utf-8"),
    ],
)  # fmt: skip
def test_a_text_is_decoded_in_its_charset(
    data: bytes, declared: str, text: str, charset: str
) -> None:
    assert decode(data, declared, cut=False) == (text, charset)


@pytest.mark.parametrize("name", ["rot13", "base64", "zlib", "idna", "punycode", "utf-7", "a\0b"])
def test_what_is_no_charset_is_not_known(name: str) -> None:
    assert known_charset(name) == ""


def test_a_cut_within_a_character_leaves_no_trace() -> None:
    data = ("a" * (TEXT_BYTES - 1) + "é").encode()
    found = preview(data, len(data), "", is_json=False)
    assert (found.text, found.charset, found.cut) == ("a" * (TEXT_BYTES - 1), "utf-8", True)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('{"a":[1,2,{}],"b":{},"a":"x,\\"{"}',
         '{\n  "a": [\n    1,\n    2,\n    {}\n  ],\n  "b": {},\n  "a": "x,\\"{"\n}'),
        ("[]", "[]"),
        ("{}", "{}"),
        (" [ 1.10 , 1e400,-0 ] ", "[\n  1.10,\n  1e400,\n  -0\n]"),
        ('"only text"', '"only text"'),
        ("1" * 5000, "1" * 5000),
    ],
)  # fmt: skip
def test_json_is_indented_and_stays_the_same(written: str, shown: str) -> None:
    found = preview(written.encode(), len(written), "", is_json=True)
    assert (found.text, found.indented, found.cut) == (shown, True, False)
    if len(written) < 1000:
        assert json.loads(shown) == json.loads(written)


@pytest.mark.parametrize("written", ['{"a":', "{'a': 1}", "not json", "[" * 5000])
def test_what_is_no_json_is_shown_as_it_is(written: str) -> None:
    found = preview(written.encode(), len(written), "", is_json=True)
    assert (found.text, found.indented) == (written, False)


@pytest.mark.parametrize(
    "written",
    [json.dumps(list(range(200_000))), "[" * 900 + "]" * 900, '{"a":' * 30_000, '["' + "x" * 10**6],
)
def test_a_preview_stays_small_and_quick_whatever_the_file(written: str) -> None:
    data = written.encode()
    began = time.monotonic()
    found = preview(data[:JSON_BYTES], len(data), "", is_json=True)
    assert time.monotonic() - began < 2
    assert 0 < len(found.text) <= MOST_CHARACTERS
