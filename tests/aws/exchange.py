"""What a client, a broker and a schedule send to a sandbox."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from typing import Any

import pika

from local.http import function_url
from shared.http.signing import sign
from shared.queue.rmq_event import Delivery, build
from tests.aws.conftest import Deployment
from tests.aws.sandbox import Sandbox
from tests.helpers.events import recorded
from tests.helpers.service import KEY

SCHEDULE = recorded("schedule")


def http_event(
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    query: str = "",
) -> dict[str, Any]:
    """Return the event of one HTTP request."""
    return function_url.event(
        method=method,
        path=path,
        query=query,
        protocol="HTTP/1.1",
        headers=list((headers or {}).items()),
        body=body,
        peer="203.0.113.7",
        request_id=str(uuid.uuid4()),
        now=time.time(),
    )


def body_of(file_name: str) -> bytes:
    """Return the body of a request for one object."""
    document = {
        "oeid": "8cfb655249106cf47fb493681d82ea",
        "ref_id": "6345307552152520612",
        "file_name": file_name,
        "file_type": "image/jpeg",
    }
    return json.dumps(document).encode()


def signed(body: bytes) -> dict[str, str]:
    """Return the headers of a signed request."""
    return {
        "content-type": "application/json",
        "authorization": sign(KEY.encode(), body),
    }


def post(ingest: Sandbox, file_name: str) -> dict[str, Any]:
    """Have ingest answer a signed request for one object."""
    body = body_of(file_name)
    answer: dict[str, Any] = ingest.invoke(http_event("POST", "/sync/", body, signed(body)))
    return answer


def waiting(
    rabbitmq_url: str, queue: str = "sync", within: float = 0.0, most: int = 1_000
) -> list[Delivery]:
    """Take the messages out of a queue.

    Args:
        rabbitmq_url: of the broker.
        queue: the queue's name.
        within: seconds to wait for the first, where one must come.
        most: messages to take.
    """
    found: list[Delivery] = []
    deadline = time.monotonic() + within
    with contextlib.closing(pika.BlockingConnection(pika.URLParameters(rabbitmq_url))) as broker:
        channel = broker.channel()
        while len(found) < most:
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            if method is not None and properties is not None and body is not None:
                found.append(
                    Delivery(
                        body=body,
                        headers=properties.headers or {},
                        content_type=properties.content_type,
                        message_id=properties.message_id,
                    )
                )
            elif found or time.monotonic() > deadline:
                return found
            else:
                broker.sleep(0.02)
    return found


def batch(rabbitmq_url: str) -> dict[str, Any]:
    """Return the event of everything that waits in the queue, as the mapping makes it."""
    return build(waiting(rabbitmq_url, within=10.0))


def sync(deployment: Deployment, name: str, content: bytes) -> None:
    """Have an object copied, from the request to the file."""
    deployment.put(name, content)
    post(deployment.sandbox("IngestFunction"), name)
    worker = deployment.sandbox("SyncWorkerFunction")
    assert worker.invoke(batch(deployment.rabbitmq_url), seconds=60)["synced"] == 1
