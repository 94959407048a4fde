from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidFields, MalformedJson
from shared.http.validation import SyncRequest, parse

VALID: dict[str, Any] = {
    "oeid": "8cfb655249106cf47fb493681d82ea",
    "ref_id": "6345307552152520612",
    "file_name": "6367458640aecc61b9736d45538952.jpg",
    "file_type": "image/jpeg",
}


def body(**changes: Any) -> bytes:
    return json.dumps({**VALID, **changes}).encode()


def errors_of(text: bytes) -> dict[str, str]:
    with pytest.raises(InvalidFields) as caught:
        parse(text)
    return {error["field"]: error["reason"] for error in caught.value.errors}


def test_the_four_fields_are_read() -> None:
    assert parse(body()) == SyncRequest(**VALID)


def test_further_fields_are_ignored() -> None:
    assert parse(body(more={"deep": [1, None, 1.5]})) == SyncRequest(**VALID)


@pytest.mark.parametrize("field", ["oeid", "ref_id", "file_name"])
@pytest.mark.parametrize("length", [1, 36, 255])
def test_texts_of_1_to_255_characters_are_accepted(field: str, length: int) -> None:
    assert getattr(parse(body(**{field: "x" * length})), field) == "x" * length


@pytest.mark.parametrize("field", ["oeid", "ref_id"])
def test_characters_are_counted_not_bytes(field: str) -> None:
    assert getattr(parse(body(**{field: "日" * 255})), field) == "日" * 255
    assert errors_of(body(**{field: "日" * 256})) == {
        field: "String should have at most 255 characters"
    }


@pytest.mark.parametrize("field", ["oeid", "ref_id", "file_name", "file_type"])
@pytest.mark.parametrize(
    "value", ["", 1, 1.5, True, None, [], {}, ["a"], "\x00", "\ud800", "x" * 256]
)
def test_what_is_no_short_text_is_named(field: str, value: object) -> None:
    found = errors_of(body(**{field: value}))
    assert list(found) == [field]
    assert found[field]


def test_every_field_that_is_missing_is_named() -> None:
    assert errors_of(b"{}") == dict.fromkeys(VALID, "Field required")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "..",
        ".",
        "../a",
        "a/../../b",
        "a/./b",
        "a//b",
        "a/",
        "a\\b",
        "C:\\a",
        "a\nb",
        "a\x1b[2J",
        "a\x7f",
        "a\x85",
        "x" * 256,
        "a/" + "日" * 86,
        "/".join(["x" * 250] * 5),
        ".incoming/1.1.part",
        ".INCOMING/a",
    ],
)
def test_an_unsafe_file_name_is_refused(name: str) -> None:
    assert list(errors_of(body(file_name=name))) == ["file_name"]


@pytest.mark.parametrize(
    "name",
    [
        "a b/ü/日本.jpg",
        "...",
        ".a",
        "~",
        "-rf",
        "a/.incoming",
        "'; DROP TABLE",
        "/".join(["x" * 204] * 5),
    ],
)
def test_an_odd_but_safe_file_name_is_accepted(name: str) -> None:
    assert parse(body(file_name=name)).file_name == name


@pytest.mark.parametrize(
    "media_type",
    [
        "image/jpeg",
        "image/svg+xml",
        "application/vnd.ms-excel.sheet.macroEnabled.12",
        "text/plain;charset=utf-8",
        'text/plain ; charset="utf 8" ; format=flowed',
        "a" * 127 + "/" + "b" * 127,
    ],
)
def test_a_media_type_is_accepted(media_type: str) -> None:
    assert parse(body(file_type=media_type)).file_type == media_type


@pytest.mark.parametrize(
    "media_type",
    [
        "jpeg",
        "image/",
        "/jpeg",
        "image/jpeg/x",
        "image /jpeg",
        "image/jpeg\r\nx: y",
        "image/jpeg\n;a=b",
        "image/jpeg\N{NO-BREAK SPACE};a=b",
        'image/jpeg;a="\N{LATIN SMALL LETTER U WITH DIAERESIS}"',
        'image/jpeg;a="b"c"',
        "image/jpeg;",
        "image/jpeg;a",
        "-image/jpeg",
        "a" * 128 + "/b",
        "*/*",
    ],
)
def test_what_is_no_media_type_is_refused(media_type: str) -> None:
    assert errors_of(body(file_type=media_type)) == {
        "file_type": "must be a media type such as image/jpeg"
    }


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"not json",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b"[{}]",
        b"true",
        b"{",
        b'{"oeid": "1",}',
        b"{'oeid': '1'}",
        b'{"oeid": "1"} {}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"oeid": "1", "oeid": "2"}',
        b'{"more": {"a": 1, "a": 1}}',
        b'{"oeid": "\xff"}',
        b'{"oeid": "\xed\xa0\x80"}',
        b'{"oeid": "\n"}',
        '{"oeid": "1"}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"[" * 65_536,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_what_is_not_one_json_object_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedJson):
        parse(text)


def test_a_malformed_body_is_explained() -> None:
    with pytest.raises(MalformedJson) as caught:
        parse(b'{"oeid": "1",}')
    assert caught.value.reason == "line 1, column 13: a comma too many"


def test_the_type_of_content_decides_nothing() -> None:
    for content_type in ("multipart/form-data", "application/x-www-form-urlencoded", "text/xml"):
        assert parse(body(), content_type) == SyncRequest(**VALID)


def test_invalid_fields_are_summed_up_in_one_line() -> None:
    with pytest.raises(InvalidFields) as caught:
        parse(body(oeid="", file_name="a/../b", file_type=1))
    reasons = caught.value.reason.split("; ")
    assert [reason.partition(": ")[0] for reason in reasons] == ["oeid", "file_name", "file_type"]
    assert "\n" not in caught.value.reason


def test_a_reason_never_repeats_what_was_sent() -> None:
    for field in VALID:
        for value in ("hunter2\x00", ["hunter2"], "hunter2" * 40 + "\\"):
            assert "hunter2" not in str(errors_of(body(**{field: value})))


@given(st.binary())
def test_nothing_but_the_two_refusals_comes_of_any_bytes(text: bytes) -> None:
    with pytest.raises((MalformedJson, InvalidFields)):
        parse(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*VALID, "more"]), VALUES))
def test_nothing_but_a_refusal_or_a_request_comes_of_any_fields(fields: dict[str, Any]) -> None:
    try:
        request = parse(json.dumps(fields).encode())
    except (MalformedJson, InvalidFields):
        return
    assert asdict(request).items() <= fields.items()


@given(st.dictionaries(st.sampled_from(["oeid", "ref_id", "file_name"]), st.text(max_size=300)))
def test_what_is_accepted_can_be_stored_and_named(fields: dict[str, Any]) -> None:
    try:
        request = parse(json.dumps({**VALID, **fields}).encode())
    except InvalidFields:
        return
    for value in asdict(request).values():
        assert "\x00" not in value
        assert 1 <= len(value.encode()) <= 1024
