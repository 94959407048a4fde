from __future__ import annotations

import json

import pytest

from shared.errors import UnreadableMessage
from shared.queue.messages import MAX_ROW_ID, SyncMessage


@pytest.mark.parametrize("row_id", [1, 42, 10**18 - 1, 10**18, MAX_ROW_ID])
def test_a_message_survives_encoding_and_decoding(row_id: int) -> None:
    message = SyncMessage(row_id, "6b1f")

    assert SyncMessage.decode(message.body, message.headers) == message


def test_the_body_is_a_json_object_with_the_id() -> None:
    assert json.loads(SyncMessage(42, "6b1f").body) == {"id": 42}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 200, "not JSON"),
        (b"[42]", "no id"),
        (b"42", "no id"),
        (b"null", "no id"),
        (b"{}", "no id"),
        (b'{"id": null}', "the id is not a whole number"),
        (b'{"id": true}', "the id is not a whole number"),
        (b'{"id": 1.0}', "the id is not a whole number"),
        (b'{"id": "42"}', "the id is not a whole number"),
        (b'{"id": -1}', "the id is out of range"),
        (b'{"id": 0}', "the id is out of range"),
        (b'{"id": 042}', "not JSON"),
        (b'{"id": 42}}', "not JSON"),
        (b'{"id": 9223372036854775808}', "the id is out of range"),
        (b'{"id": 42, "note": "' + b"x" * 300 + b'"}', "322 bytes, more than 256"),
    ],
)
def test_what_names_no_row_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableMessage) as caught:
        SyncMessage.decode(body)

    assert caught.value.about == reason


@pytest.mark.parametrize(
    ("value", "request_id"),
    [
        ("6b1f", "6b1f"),
        (b"6b1f", "6b1f"),
        ({"bytes": [54, 98, 49, 102]}, "6b1f"),
        ({"bytes": [0xC3, 0xA9]}, "é"),
        ({"bytes": [-61, -87]}, "é"),
        ({"bytes": [255]}, "\ufffd"),
        ({"bytes": [256]}, ""),
        ({"bytes": [-129]}, ""),
        ({"bytes": [-61, 256]}, ""),
        ({"bytes": [True]}, ""),
        ({"bytes": [54, 1.0]}, ""),
        ({"bytes": []}, ""),
        ({"bytes": "6b1f"}, ""),
        ({}, ""),
        (7, ""),
        (None, ""),
        ("x" * 1000, "x" * 128),
    ],
)
def test_the_request_id_is_read_from_every_form_of_a_header(value: object, request_id: str) -> None:
    assert SyncMessage.decode(b'{"id": 42}', {"request_id": value}).request_id == request_id


@pytest.mark.parametrize("headers", [None, {}])
def test_a_message_without_headers_is_readable(headers: dict[str, object] | None) -> None:
    assert SyncMessage.decode(b'{"id": 42}', headers) == SyncMessage(42, "")


@pytest.mark.parametrize("body", [b'{"id": 42}', b'{"id":42}', b' { "id": 42 }\n'])
def test_a_body_may_have_spaces_anywhere(body: bytes) -> None:
    assert SyncMessage.decode(body).row_id == 42


def test_further_fields_are_ignored() -> None:
    assert SyncMessage.decode(b'{"v": 2, "id": 42}').row_id == 42
