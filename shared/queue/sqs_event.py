"""The `aws:sqs` event: what an event source mapping of Amazon SQS passes to the worker. Pure.

The shape is AWS's (Lambda developer guide, "Using Lambda with Amazon SQS"). The mapping deletes all
messages of a batch but those that the response names; it must have `ReportBatchItemFailures`, or
the response counts for nothing ("Handling errors for an SQS event source in Lambda").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import UnreadableMessage
from shared.queue.messages import SyncMessage
from shared.queue.rmq_event import Unreadable

SOURCE = "aws:sqs"


@dataclass(frozen=True, slots=True)
class Received:
    """One message of a batch.

    Attributes:
        message_id: by which it is returned to the queue.
        content: what it says.
    """

    message_id: str
    content: SyncMessage | Unreadable


def is_batch(event: Mapping[str, Any]) -> bool:
    """Return whether an event is a batch of messages of SQS."""
    match event:
        case {"Records": [{"eventSource": source}, *_]}:
            return bool(source == SOURCE)
    return False


def read(event: Mapping[str, Any]) -> list[Received]:
    """Read the messages of a batch, in order."""
    return [Received(str(r["messageId"]), _content(r)) for r in event["Records"]]


def response(failed: Iterable[str]) -> dict[str, Any]:
    """Return the response that returns some messages to the queue, by their ids."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _content(record: Mapping[str, Any]) -> SyncMessage | Unreadable:
    data = str(record.get("body") or "").encode(errors="replace")
    attributes = record.get("messageAttributes") or {}
    headers = {name: value.get("stringValue") for name, value in attributes.items()}
    try:
        return SyncMessage.decode(data, headers)
    except UnreadableMessage as error:
        return Unreadable(data, error.about, headers)
