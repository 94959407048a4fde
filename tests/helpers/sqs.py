"""A queue and its dead letters on moto's SQS, and what an event source mapping does with them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import boto3

from shared.queue.sqs.queues import DEAD_SUFFIX

REGION = "eu-west-1"
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": REGION,
}
VISIBILITY_SECONDS = 5_040
CALL = 10
"""Messages that SQS hands out at once."""


class SqsQueues:
    """Two queues of the test's own.

    Args:
        endpoint: of moto's server.

    Attributes:
        url: of the queue.
    """

    def __init__(self, endpoint: str) -> None:
        self._client = boto3.client(
            "sqs",
            REGION,
            endpoint_url=endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        name = f"sync-{uuid.uuid4().hex[:12]}"
        create = self._client.create_queue
        create(QueueName=name + DEAD_SUFFIX)
        attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        self.url = str(create(QueueName=name, Attributes=attributes)["QueueUrl"])

    def send(self, body: str) -> None:
        """Send a message as it is."""
        self._client.send_message(QueueUrl=self.url, MessageBody=body)

    def take(self, most: int = 10_000, *, dead: bool = False) -> list[dict[str, Any]]:
        """Receive what waits; it stays in flight until it is settled or returned."""
        taken: list[dict[str, Any]] = []
        while len(taken) < most:
            answer = self._client.receive_message(
                QueueUrl=self.url + (DEAD_SUFFIX if dead else ""),
                MaxNumberOfMessages=min(CALL, most - len(taken)),
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
            if not answer.get("Messages"):
                break
            taken += answer["Messages"]
        return taken

    def settle(self, taken: Sequence[Mapping[str, Any]], response: Mapping[str, Any]) -> int:
        """Delete a batch but what a response returns to the queue; return how much that is."""
        failed = {item["itemIdentifier"] for item in response["batchItemFailures"]}
        for message in taken:
            about = {"QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"]}
            if message["MessageId"] in failed:
                self._client.change_message_visibility(**about, VisibilityTimeout=0)
            else:
                self._client.delete_message(**about)
        return len(failed)


def event_of(taken: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the event that passes received messages to a function."""
    return {"Records": [_record(message) for message in taken]}


def _record(message: Mapping[str, Any]) -> dict[str, Any]:
    attributes = message.get("MessageAttributes") or {}
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {
                "stringValue": value["StringValue"],
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in attributes.items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:sync",
        "awsRegion": REGION,
    }
