"""The event of an SQS queue, and the response by which single messages are returned to it. Pure.

The event source mapping needs `ReportBatchItemFailures`. Without it the whole batch is deleted,
whatever the response is (Lambda developer guide, "Implementing partial batch responses").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from functions.s3_events.documents import parse
from functions.s3_events.happenings import Happening, Unreadable

SOURCE = "aws:sqs"


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        message_id: by which it is returned.
        happenings: what it tells of.
    """

    message_id: str
    happenings: tuple[Happening, ...]


def is_batch(event: Any) -> bool:
    """Return whether an event is a batch of messages."""
    match event:
        case {"Records": [{"eventSource": source}, *_]}:
            return bool(source == SOURCE)
    return False


def messages(event: Mapping[str, Any]) -> Iterator[Message]:
    """Read the messages of a batch."""
    for record in event["Records"]:
        body = record.get("body")
        happenings = (
            tuple(parse(body))
            if isinstance(body, str) and body.strip()
            else (Unreadable("the message has no body"),)
        )
        yield Message(str(record.get("messageId", "")), happenings)


def response(failed: Iterable[str]) -> dict[str, Any]:
    """Return the response that returns some messages to the queue."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
