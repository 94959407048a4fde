"""Messages that are read at once reach their consumers exactly as they do by pika's own path."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from typing import Any

import pika
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pika import spec
from pika.frame import Body, Header, Heartbeat, Method

from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.content_header import _read_any
from shared.queue.rabbitmq.deliveries import read_arrival
from shared.queue.rabbitmq.link import _Connection
from shared.queue.rabbitmq.properties import read_usual
from shared.queue.rabbitmq.topology import publication
from tests.helpers.amqp_connection import AmqpConnection
from tests.helpers.raw_publisher import counted, field, shapes, table, with_headers

MANY = settings(max_examples=200, deadline=None)
SENT = publication(SyncMessage(42, "6b1f"), 1_795_557_600.0)
CHANNELS = (1, 2)


GET_OK = spec.Basic.GetOk(7, redelivered=False, exchange="", routing_key="sync", message_count=0)


def deliver(tag: str | bytes, *, redelivered: bool = True) -> spec.Basic.Deliver:
    return spec.Basic.Deliver(tag, 7, redelivered, "", "sync")


class FrameByFrame(_Connection):
    """Reads every frame by pika's path."""

    def _on_data_available(self, data_in: bytes) -> None:
        super(_Connection, self)._on_data_available(data_in)


class Consuming:
    """A connection with two channels, the consumers on them, and all that can be seen of it."""

    def __init__(self, kind: type[pika.SelectConnection]) -> None:
        self.broker = AmqpConnection(kind)
        self.seen: list[Any] = []
        for number in CHANNELS:
            channel = self.broker.channel(number)
            for tag in ("first", "second"):
                channel.basic_consume("sync", self._take, consumer_tag=tag)
                self.broker.say(number, spec.Basic.ConsumeOk(tag))
            channel.add_on_return_callback(self._take)
            channel.basic_get("sync", self._take)

    def _take(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.seen.append((channel.channel_number, method, vars(properties), body))
        if body == b"cancel":
            channel.basic_cancel("first", lambda _: None)
        if body == b"fail":
            raise LookupError("a consumer's fault")

    def feed(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            try:
                self.broker.feed(piece)
            except Exception as error:  # noqa: BLE001 - pika's may be any
                self.seen.append(repr(error))
                return

    def state(self) -> object:
        connection = self.broker.connection
        counts = (connection.frames_received, connection.bytes_received)
        return self.seen, counts, self.broker.wire.sent

    def close(self) -> None:
        self.broker.close()


def message(
    tag: str = "first",
    *,
    channel: int = 1,
    method: Any = None,
    properties: bytes = b"",
    bodies: Sequence[bytes] = (SENT.body,),
    missing: int = 0,
) -> bytes:
    """Return the frames of a message.

    Args:
        missing: bytes that its header promises beyond its body.
    """
    method = method or deliver(tag)
    size = max(0, sum(map(len, bodies)) + missing)
    header = Header(channel, size, SENT.properties).marshal()
    if properties:
        head = header[7:19] + properties
        header = header[:3] + counted(head) + b"\xce"
    frames = [Method(channel, method).marshal(), header]
    return b"".join(frames + [Body(channel, each).marshal() for each in bodies])


def same(pieces: Sequence[bytes]) -> list[Any]:
    """Feed two connections alike and return what both have seen."""
    with closing(Consuming(_Connection)) as ours, closing(Consuming(FrameByFrame)) as pikas:
        ours.feed(pieces)
        pikas.feed(pieces)
        assert ours.state() == pikas.state()
        return ours.seen


@pytest.mark.parametrize("bodies", [(SENT.body,), (), (b"{", b'"id": 42}'), (b"x", b"", b"y")])
def test_a_message_arrives_wherever_the_stream_is_cut(bodies: Sequence[bytes]) -> None:
    data = message(bodies=bodies) + Heartbeat().marshal() + message("second", channel=2)
    for cut in range(len(data) + 1):
        seen = same([data[:cut], data[cut:]])
        assert [body for _, _, _, body in seen] == [b"".join(bodies), SENT.body]


def test_whole_messages_are_read_at_once() -> None:
    data = message() + message(bodies=())

    first = read_arrival(data, 0)
    assert first is not None
    second = read_arrival(data, first.end)
    assert second is not None

    assert (first.frames, first.body, second.frames, second.body) == (3, SENT.body, 2, b"")
    assert second.end == len(data)
    assert first.method == deliver("first")
    assert first.properties.headers == {"request_id": "6b1f"}
    assert [read_arrival(data[:end], 0) for end in range(first.end)] == [None] * first.end


@pytest.mark.parametrize(
    "data",
    [
        message(bodies=(b"a", b"b")),
        message(method=GET_OK),
        Heartbeat().marshal() + message(),
        message()[7:],
        message().replace(b"\xce", b"\xcd", 1),
        message(missing=1),
        message(method=deliver(b"\xff")),
        Method(1, deliver("first")).marshal() + message(channel=2),
    ],
)
def test_anything_else_is_left_to_pika(data: bytes) -> None:
    assert read_arrival(data, 0) is None


def test_a_consumer_that_is_cancelled_meanwhile_gets_no_more() -> None:
    seen = same([message(bodies=(b"cancel",)) + message() * 3 + message("second")])

    assert [body for _, _, _, body in seen] == [b"cancel", SENT.body]


@pytest.mark.parametrize(
    "begun",
    [
        message(missing=1),
        Method(1, deliver("first", redelivered=False)).marshal(),
        Header(1, 3, SENT.properties).marshal() + Body(1, b"a").marshal(),
    ],
    ids=["a part of its body missing", "a method", "no method"],
)
def test_a_message_amid_another_is_read_as_by_pika(begun: bytes) -> None:
    same([begun + message() + Header(1, 0, SENT.properties).marshal() + message()])


def test_a_fault_of_a_consumer_comes_out_and_its_message_is_gone() -> None:
    seen = same([message() + message(bodies=(b"fail",)) + message()])

    assert len(seen) == 3
    assert "LookupError" in seen[-1]


PROPERTIES = st.one_of(
    st.just(b""),
    st.sampled_from([raw for _, raw in shapes() if len(raw) < 2_000]),
    st.lists(
        st.tuples(st.binary(max_size=9), st.binary(max_size=9)).map(
            lambda pair: field(pair[0], b"S" + counted(pair[1]))
        ),
        max_size=3,
    ).map(lambda fields: with_headers(*fields)),
    st.binary(min_size=2, max_size=20),
)
TAGS = st.sampled_from(["first", "second", "third", b"\xff"])
PARTS = st.one_of(
    st.builds(
        message,
        TAGS,
        channel=st.sampled_from([0, 1, 2, 7]),
        properties=PROPERTIES,
        bodies=st.lists(st.sampled_from([b"", b"x", SENT.body, b"cancel", b"fail"]), max_size=2),
        missing=st.sampled_from([0, 0, 0, 1, -1]),
    ),
    st.builds(message),
    st.sampled_from(
        [
            Heartbeat().marshal(),
            message(method=GET_OK),
            message(method=spec.Basic.Return(312, "NO_ROUTE", "", "sync")),
            Method(1, spec.Basic.Cancel("first")).marshal(),
            Method(1, spec.Basic.Ack(7)).marshal(),
            Method(1, spec.Channel.Close(404, "NOT_FOUND", 0, 0)).marshal(),
            Header(1, 3, SENT.properties).marshal(),
            Body(1, b"abc").marshal(),
            Method(2, deliver("first", redelivered=False)).marshal(),
        ]
    ),
    st.binary(max_size=8),
)


def pieces_of(data: bytes, cuts: Sequence[float]) -> list[bytes]:
    at = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(at)]


@MANY
@given(
    st.lists(PARTS, max_size=6).map(b"".join),
    st.lists(st.floats(0, 1, exclude_max=True), max_size=4),
)
def test_any_stream_is_read_as_by_pika(data: bytes, cuts: list[float]) -> None:
    same(pieces_of(data, cuts))


@MANY
@given(
    st.lists(PARTS, min_size=1, max_size=3).map(b"".join),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3),
)
def test_a_damaged_stream_is_read_as_by_pika(data: bytes, damage: list[tuple[float, int]]) -> None:
    damaged = bytearray(data)
    for place, byte in damage:
        if damaged:
            damaged[int(place * len(damaged))] = byte
    same([bytes(damaged)])


def test_usual_properties_are_those_that_pika_reads() -> None:
    frame = message()
    found = read_arrival(frame, 0)
    assert found is not None
    sent = {name: value for name, value in vars(SENT.properties).items() if value is not None}
    assert vars(found.properties) == sent


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        with_headers(field(b"a", b"S" + counted(b"\xff"))),
        with_headers(field(b"a", b"I\x00\x00\x00\x01"), field(b"b", b"S" + counted(b"c"))),
        with_headers(*[field(b"", b"S" + counted(b""))] * 2_000),
        with_headers(field(b"a", b"S" + counted(b"b"))) + b"more",
        b"\x20\x01\x00\x00" + table(field(b"a", b"S" + counted(b"b"))),
        *(raw for _, raw in shapes()),
    ],
)
def test_unusual_properties_are_left_to_the_other_reader(raw: bytes) -> None:
    found = read_usual(raw)
    assert found is None or vars(found) == vars(_read_any(raw))


USUAL = Header(1, 0, SENT.properties).marshal()[19:-1]


@MANY
@given(st.lists(st.tuples(st.integers(0, len(USUAL) - 1), st.integers(0, 255)), max_size=3))
def test_both_readers_read_alike(damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(USUAL)
    for place, byte in damage:
        damaged[place] = byte
    found = read_usual(bytes(damaged))
    assert found is not None or damage
    assert found is None or vars(found) == vars(_read_any(bytes(damaged)))
