"""The two queues on Amazon SQS, and the calls to them; SQS's errors end here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from shared.aws.json_api import SQS, JsonApi
from shared.config.settings import environment
from shared.deadline import within
from shared.errors import AwsRefused, AwsUnavailable, SqsUnavailable
from shared.queue.messages import REQUEST_ID, SyncMessage, header_text

DEAD_SUFFIX = "-dead"
"""What the name of the queue of dead letters has behind the queue's."""

BATCH = 10
"""Messages of one call at most (Amazon SQS API reference, SendMessageBatch)."""

DEAD_LETTER_CHARACTERS = 16_000
"""What is kept of a dead letter's body, and as much of its headers. A character has up to 12 bytes
in JSON, so that both are below 256 KiB; our bodies have under 30 bytes."""

_REGION = re.compile(r"(?:^|\.)sqs\.(?P<region>[a-z0-9-]+)\.")


class Queues:
    """The queue that a URL names, and its dead letters; safe for several threads.

    Args:
        url: of the queue, whose host is the endpoint of its region. If it names none, the region is
            the process's own.
        seconds: time limit of one call.
    """

    def __init__(self, url: str, seconds: float) -> None:
        parts = urlsplit(url)
        self._url = url
        self._seconds = seconds
        self._call = JsonApi(
            SQS,
            region_of(url) or environment().get("AWS_REGION", ""),
            endpoint=f"{parts.scheme}://{parts.netloc}/",
        )

    def send(self, messages: Sequence[SyncMessage]) -> set[int]:
        """Send up to `BATCH` messages; return the ids of the rows whose message SQS has stored.

        Raises:
            SqsUnavailable: it is not known to have stored any.
        """
        entries = [
            {"Id": str(n), "MessageBody": message.body.decode()} | _attributes(message.headers)
            for n, message in enumerate(messages)
        ]
        answer = self._ask("SendMessageBatch", self._url, Entries=entries)
        return {messages[int(stored["Id"])].row_id for stored in answer.get("Successful", ())}

    def depth(self, *, dead: bool = False) -> int:
        """Return about how many messages wait in the queue, or in that of dead letters.

        Raises:
            SqsUnavailable: it cannot be asked.
        """
        name = "ApproximateNumberOfMessages"
        answer = self._ask("GetQueueAttributes", self._at(dead=dead), AttributeNames=[name])
        return int(answer["Attributes"][name])

    def dead_letter(self, data: bytes, reason: str, headers: Mapping[str, object]) -> None:
        """Send a dead letter: a JSON object, because SQS takes neither every text nor an empty one.

        Raises:
            SqsUnavailable: SQS has not stored it.
        """
        kept = json.dumps({name: header_text(value) for name, value in headers.items()})
        letter = {
            "reason": reason,
            "data": data.decode(errors="replace")[:DEAD_LETTER_CHARACTERS],
            "headers": kept[:DEAD_LETTER_CHARACTERS],
        }
        self._ask("SendMessage", self._at(dead=True), MessageBody=json.dumps(letter))

    def close(self) -> None:
        """Close the connection, if there is one; safe to repeat."""
        self._call.close()

    def _at(self, *, dead: bool) -> str:
        return self._url + (DEAD_SUFFIX if dead else "")

    def _ask(self, action: str, url: str, **document: Any) -> Any:
        try:
            return self._call(action, {"QueueUrl": url, **document}, within(self._seconds))
        except (AwsRefused, AwsUnavailable) as error:
            raise SqsUnavailable(error.about) from error


def region_of(url: str) -> str | None:
    """Return the region in the URL of a queue, None if it is of no endpoint of AWS."""
    found = _REGION.search(urlsplit(url).hostname or "")
    return found["region"] if found else None


def _attributes(headers: Mapping[str, str]) -> dict[str, Any]:
    found = headers.get(REQUEST_ID)
    if not found:  # SQS refuses an empty one
        return {}
    return {"MessageAttributes": {REQUEST_ID: {"DataType": "String", "StringValue": found}}}
