from __future__ import annotations

from typing import Any

import pytest

from shared.queue.messages import SyncMessage
from shared.queue.rmq_event import Unreadable
from shared.queue.sqs_event import is_batch, read, response
from tests.helpers.events import recorded


def test_a_message_names_its_row_and_its_request() -> None:
    [received] = read(recorded("sqs"))
    assert received.message_id == "2e1424d4-f796-459a-8184-9c92662be6da"
    assert received.content == SyncMessage(42, "a5c1e0c2")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body": "x"}, "not JSON"),
        ({"body": ""}, "not JSON"),
        ({"body": '{"id": "42"}', "messageAttributes": None}, "the id is not a whole number"),
        ({"body": "\ud800"}, "not JSON"),
    ],
)
def test_what_names_no_row_is_kept_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    event = recorded("sqs")
    event["Records"][0] |= changes
    [received] = read(event)
    assert isinstance(received.content, Unreadable)
    assert received.content.reason == reason


@pytest.mark.parametrize(
    "event", [recorded("rmq"), recorded("s3/put"), {}, {"Records": []}, {"Records": ["x"]}]
)
def test_another_event_is_no_batch(event: dict[str, Any]) -> None:
    assert is_batch(recorded("sqs"))
    assert not is_batch(event)


def test_the_response_names_what_returns() -> None:
    assert response(["a", "b"]) == {
        "batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]
    }
