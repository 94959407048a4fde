from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import UnreadableMessage
from shared.queue.messages import SyncMessage
from shared.queue.rmq_event import Delivery, Unreadable, build, read
from tests.helpers.events import recorded

EVENT = recorded("rmq")


def only_message(event: dict[str, Any]) -> dict[str, Any]:
    ((message,),) = event["rmqMessagesByQueue"].values()
    return dict(message)


def event_of(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"eventSource": "aws:rmq", "rmqMessagesByQueue": {"sync::/": list(messages)}}


def test_the_built_event_equals_the_documented_one_field_by_field() -> None:
    delivery = Delivery(
        body=b'{"id": 42}',
        headers={"request_id": "6b1f", "attempt": 1},
        content_type="application/json",
        delivery_mode=2,
        message_id="42",
        timestamp=int(datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC).timestamp()),
    )

    event = build([delivery], arn=EVENT["eventSourceArn"])

    built, documented = only_message(event), only_message(EVENT)
    for name, value in documented["basicProperties"].items():
        assert built["basicProperties"].get(name, "absent") == value, name
    assert event == EVENT
    assert json.loads(json.dumps(event)) == EVENT


def test_null_headers_stay_null() -> None:
    message = only_message(build([Delivery(body=b"{}", headers=None)]))

    assert message["basicProperties"]["headers"] is None


def test_every_property_arrives_under_its_name() -> None:
    message = only_message(
        build(
            [
                Delivery(
                    body=b"x",
                    redelivered=True,
                    content_type="a",
                    content_encoding="b",
                    delivery_mode=1,
                    priority=3,
                    correlation_id="c",
                    reply_to="d",
                    expiration="4",
                    message_id="e",
                    timestamp=0,
                    type="f",
                    user_id="g",
                    app_id="h",
                    cluster_id="i",
                )
            ]
        )
    )

    assert message == {
        "basicProperties": {
            "contentType": "a",
            "contentEncoding": "b",
            "headers": None,
            "deliveryMode": 1,
            "priority": 3,
            "correlationId": "c",
            "replyTo": "d",
            "expiration": "4",
            "messageId": "e",
            "timestamp": "Jan 1, 1970, 12:00:00 AM",
            "type": "f",
            "userId": "g",
            "appId": "h",
            "clusterId": "i",
            "bodySize": 1,
        },
        "redelivered": True,
        "data": "eA==",
    }


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC), "Nov 23, 2026, 10:00:00 AM"),
        (datetime(2026, 1, 5, 0, 3, 9, tzinfo=UTC), "Jan 5, 2026, 12:03:09 AM"),
        (datetime(2026, 12, 31, 12, 0, 0, tzinfo=UTC), "Dec 31, 2026, 12:00:00 PM"),
        (datetime(2026, 6, 1, 23, 59, 59, tzinfo=UTC), "Jun 1, 2026, 11:59:59 PM"),
    ],
)
def test_a_time_is_written_as_the_mapping_writes_it(moment: datetime, text: str) -> None:
    message = only_message(build([Delivery(body=b"", timestamp=int(moment.timestamp()))]))

    assert message["basicProperties"]["timestamp"] == text


@pytest.mark.parametrize("seconds", [253_402_300_800, 1_795_557_600_000, 2**64 - 1])
def test_a_time_that_no_calendar_has_is_left_out(seconds: int) -> None:
    message = only_message(build([Delivery(body=b"", timestamp=seconds)]))

    assert message["basicProperties"]["timestamp"] is None


def test_headers_of_every_kind_become_json() -> None:
    headers = {
        "text": "é",
        "bytes": b"\x00\xff",
        "number": 1.5,
        "flag": True,
        "none": None,
        "x-death": [{"queue": "sync", "time": datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)}],
    }

    message = only_message(build([Delivery(body=b"", headers=headers)]))

    assert json.loads(json.dumps(message["basicProperties"]["headers"])) == {
        "text": {"bytes": [0xC3, 0xA9]},
        "bytes": {"bytes": [0, 255]},
        "number": 1.5,
        "flag": True,
        "none": None,
        "x-death": [{"queue": {"bytes": [115, 121, 110, 99]}, "time": "Nov 23, 2026, 10:00:00 AM"}],
    }


def test_the_key_names_queue_and_virtual_host() -> None:
    assert list(build([], queue="q", vhost="v/1")["rmqMessagesByQueue"]) == ["q::v/1"]


def test_the_documented_event_is_read() -> None:
    assert read(EVENT) == [SyncMessage(42, "6b1f")]


def test_what_is_built_is_read_back_in_order() -> None:
    messages = [SyncMessage(n, f"request-{n}") for n in (3, 1, 2)]

    assert read(build(Delivery.of(m) for m in messages)) == messages


@pytest.mark.parametrize(
    ("data", "kept", "reason"),
    [
        ("%%%", b"%%%", "not base64"),
        ("aGVsbG8", b"aGVsbG8", "not base64"),
        ("é", "é".encode(), "not base64"),
        ("aGVsbG8=", b"hello", "not JSON"),
        ("", b"", "not JSON"),
        (None, b"", "not JSON"),
        (base64.b64encode(b'{"id": -3}').decode(), b'{"id": -3}', "the id is out of range"),
    ],
)
def test_an_unreadable_message_is_kept_with_its_reason(
    data: str | None, kept: bytes, reason: str
) -> None:
    event = event_of({"basicProperties": {"headers": None}, "data": data})

    assert read(event) == [Unreadable(kept, reason)]


def test_an_unreadable_message_does_not_hide_its_neighbours() -> None:
    good = only_message(EVENT)
    bad = {**good, "data": "%%%"}

    assert read(event_of(good, bad, good)) == [
        SyncMessage(42, "6b1f"),
        Unreadable(b"%%%", "not base64", good["basicProperties"]["headers"]),
        SyncMessage(42, "6b1f"),
    ]


def test_the_messages_of_all_queues_are_read() -> None:
    good = only_message(EVENT)
    event = {"rmqMessagesByQueue": {"sync::/": [good], "other::/": [good]}}

    assert len(read(event)) == 2


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"rmqMessagesByQueue": None}])
def test_another_kind_of_event_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(UnreadableMessage, match="aws:rmq"):
        read(event)
