"""Whatever bytes a header frame has, they are read, and their dead letter can be written."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from decimal import Decimal

import pika
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pika.frame import Body, Header, decode_frame

from shared.queue.rabbitmq.consumer import MAX_BODY_BYTES, delivery_of
from shared.queue.rabbitmq.content_header import MAX_DEPTH, read_header_frame, read_properties
from shared.queue.rabbitmq.properties import Properties
from shared.queue.rabbitmq.topology import HEADER_BYTES, dead_letter
from shared.queue.rmq_event import Unreadable, build, read
from tests.helpers.raw_publisher import counted, field, shapes, table, with_headers

MANY = settings(max_examples=40, deadline=None)
FRAME_BYTES = 131_072


def dead_letter_of(properties: Properties, body: bytes = b"?") -> pika.BasicProperties:
    """Return the dead letter's properties, by the way that an unreadable message takes."""
    event = json.loads(json.dumps(build([delivery_of(body, properties, redelivered=False)])))
    unreadable = read(event)[-1]
    assert isinstance(unreadable, Unreadable)
    letter = dead_letter(unreadable.data, unreadable.reason, unreadable.headers, 0.0).properties
    frame = Header(1, 1, letter).marshal()
    assert len(frame) < FRAME_BYTES
    return letter


def test_what_pika_reads_is_read_alike() -> None:
    sent = pika.BasicProperties(
        content_type="application/json",
        content_encoding="gzip",
        headers={
            "text": "é",
            "bytes": b"\x00\xff",
            "number": -1,
            "long": 2**40,
            "flag": True,
            "none": None,
            "list": [1, "a", {"deep": [None]}],
            "time": datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC),
            "decimal": Decimal("1.25"),
        },
        delivery_mode=2,
        priority=9,
        correlation_id="c",
        reply_to="d",
        expiration="4",
        message_id="e",
        timestamp=1_795_557_600,
        type="f",
        user_id="g",
        app_id="h",
        cluster_id="i",
    )
    frame = Header(7, 11, sent).marshal()
    size, expected = decode_frame(frame)
    assert isinstance(expected, Header)

    assert read_header_frame(frame + b"next") is not None
    consumed, found = read_header_frame(frame + b"next") or (0, None)

    assert found is not None
    assert (consumed, found.channel_number, found.body_size) == (size, 7, 11)
    assert vars(found.properties) == vars(expected.properties)
    assert isinstance(found.properties, Properties)
    assert found.properties.fault == ""


def test_part_of_a_frame_and_other_frames_are_left_to_pika() -> None:
    frame = Header(1, 1, pika.BasicProperties(headers={"a": "b"})).marshal()
    for end in range(len(frame)):
        assert read_header_frame(frame[:end]) is None
    assert read_header_frame(Body(1, b"\x00" * 40).marshal()) is None


@pytest.mark.parametrize(("name", "raw"), shapes(), ids=[name for name, _ in shapes()])
def test_no_shape_raises_or_fails_its_dead_letter(name: str, raw: bytes) -> None:
    properties = read_properties(raw)

    letter = dead_letter_of(properties)

    assert str(letter.headers["reason"]).endswith("not JSON"), name
    assert len(json.dumps(letter.headers)) < 2 * HEADER_BYTES


@pytest.mark.parametrize(
    ("raw", "fault", "headers"),
    [
        (
            with_headers(field(b"at", b"T" + struct.pack(">Q", 1_795_557_600_000))),
            "header 'at': a time after the year 9999 (1795557600000 s)",
            {"at": "1795557600000"},
        ),
        (with_headers(field(b"a", b"t\x01"), field(b"b", b"?")), "header 'b': a value of", None),
        (with_headers(field(b"a", b"l\x00")), "header 'a': it ends too early", None),
        (struct.pack(">H", 1 << 13) + b"\x00\x00\xff\xff", "it ends too early", None),
        (b"\x00", "it ends too early", None),
        (struct.pack(">H", 0) + b"more", "bytes after the last property", None),
    ],
)
def test_what_cannot_be_read_is_described(
    raw: bytes, fault: str, headers: dict[str, object] | None
) -> None:
    properties = read_properties(raw)

    assert properties.fault.startswith(fault)
    if headers is not None:
        assert properties.headers == headers


def test_what_follows_a_malformed_table_is_read() -> None:
    raw = struct.pack(">H", 1 << 13 | 1 << 7) + table(field(b"a", b"?")) + b"\x0242"

    assert read_properties(raw).message_id == "42"


def test_tables_are_read_up_to_a_depth() -> None:
    value = b"t\x01"
    for _ in range(MAX_DEPTH - 1):
        value = b"A" + counted(value)

    assert read_properties(with_headers(field(b"a", value))).fault == ""
    assert "nested" in read_properties(with_headers(field(b"a", b"A" + counted(value)))).fault


def test_a_message_with_a_fault_is_kept_and_its_row_is_worked_on() -> None:
    raw = with_headers(field(b"at", b"T" + b"\xff" * 8))
    delivery = delivery_of(b'{"id": 42}', read_properties(raw), redelivered=False)

    row, kept = read(build([delivery]))

    assert not isinstance(row, Unreadable)
    assert row.row_id == 42
    assert isinstance(kept, Unreadable)
    assert kept.reason.startswith("header 'at': a time after")
    assert kept.data == b'{"id": 42}'
    assert list(kept.headers) == ["at"]


def test_a_huge_body_is_shortened() -> None:
    delivery = delivery_of(b"x" * (MAX_BODY_BYTES + 1), Properties(), redelivered=False)

    (kept,) = read(build([delivery]))

    assert isinstance(kept, Unreadable)
    assert len(kept.data) == MAX_BODY_BYTES
    assert kept.reason.startswith(f"{MAX_BODY_BYTES + 1} bytes, of which")


VALUES = st.recursive(
    st.one_of(
        st.just(b"V"),
        st.binary(min_size=1, max_size=9),
        st.sampled_from([b"t", b"b", b"B"]).flatmap(lambda k: st.binary(min_size=1).map(k.__add__)),
        st.sampled_from([b"T", b"l", b"L", b"d"]).flatmap(
            lambda k: st.binary(min_size=8, max_size=8).map(k.__add__)
        ),
        st.sampled_from([b"S", b"x"]).flatmap(
            lambda k: st.binary(max_size=40).map(lambda d: k + counted(d))
        ),
        st.binary(min_size=5, max_size=5).map(b"D".__add__),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda vs: b"A" + counted(b"".join(vs))),
        st.lists(st.tuples(st.binary(max_size=8), inner), max_size=4).map(
            lambda fs: b"F" + table(*(field(k, v) for k, v in fs))
        ),
    ),
    max_leaves=12,
)


@MANY
@given(st.lists(st.tuples(st.binary(max_size=255), VALUES), max_size=6))
def test_no_table_raises(fields: list[tuple[bytes, bytes]]) -> None:
    dead_letter_of(read_properties(with_headers(*(field(k, v) for k, v in fields))))


@MANY
@given(st.binary(max_size=200))
def test_no_bytes_raise(raw: bytes) -> None:
    dead_letter_of(read_properties(raw))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.characters(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@MANY
@given(st.dictionaries(st.text(st.characters()), JSON, max_size=5), st.text(st.characters()))
def test_the_headers_of_any_event_can_be_kept(headers: dict[str, object], reason: str) -> None:
    frame = Header(1, 1, dead_letter(b"", reason, headers, 0.0).properties).marshal()
    assert len(frame) < FRAME_BYTES


def test_headers_that_rabbitmq_routes_by_are_renamed() -> None:
    letter = dead_letter(b"", "not JSON", {"CC": "elsewhere", "BCC": 1}, 0.0)

    assert letter.properties.headers == {"x-CC": "elsewhere", "x-BCC": 1, "reason": "not JSON"}
