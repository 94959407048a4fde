"""The functions with Amazon SQS in RabbitMQ's place, which moto's SQS stands for."""

from __future__ import annotations

import json

import pytest

from tests.aws.conftest import Deployment
from tests.aws.exchange import SCHEDULE, post
from tests.aws.sandbox import Sandbox
from tests.helpers.servers import execute, query
from tests.helpers.sqs import SqsQueues, event_of

pytestmark = pytest.mark.parametrize("deployment", [{"Queue": "sqs"}], ids=["sqs"], indirect=True)


@pytest.fixture
def queues(migrated: Deployment) -> SqsQueues:
    assert migrated.queues
    return migrated.queues


@pytest.fixture
def worker(migrated: Deployment) -> Sandbox:
    return migrated.sandbox("SyncWorkerFunction")


def states(deployment: Deployment) -> list[str]:
    return [state for (state,) in query(deployment.database_url, "SELECT state FROM file_sync")]


def test_a_request_is_one_message_that_names_its_request(
    migrated: Deployment, queues: SqsQueues, worker: Sandbox
) -> None:
    migrated.put("a.jpg", b"content")
    answer = post(migrated.sandbox("IngestFunction"), "a.jpg")
    [message] = taken = queues.take()
    assert message["Body"] == '{"id": 1}'
    named = message["MessageAttributes"]["request_id"]["StringValue"]
    assert named == answer["headers"]["x-request-id"]
    assert queues.settle(taken, worker.invoke(event_of(taken))) == 0
    assert migrated.file("a.jpg").read_bytes() == b"content"


def test_one_message_delivered_twice_makes_one_file(
    migrated: Deployment, queues: SqsQueues, worker: Sandbox
) -> None:
    migrated.put("a.jpg", b"content")
    post(migrated.sandbox("IngestFunction"), "a.jpg")
    event = event_of(queues.take())
    for _ in range(2):
        assert worker.invoke(event) == {"batchItemFailures": []}
    assert query(migrated.database_url, "SELECT attempts FROM file_sync") == [(1,)]


def test_a_failed_copy_is_the_ledgers_to_repeat_and_no_failed_receive(
    migrated: Deployment, queues: SqsQueues, worker: Sandbox
) -> None:
    post(migrated.sandbox("IngestFunction"), "missing.jpg")
    assert worker.invoke(event_of(queues.take())) == {"batchItemFailures": []}
    assert states(migrated) == ["queued"]


def test_during_a_pause_messages_are_settled_and_not_received_again(
    migrated: Deployment, queues: SqsQueues
) -> None:
    post(migrated.sandbox("IngestFunction"), "a.jpg")
    worker = migrated.sandbox("SyncWorkerFunction", AWS_S3_BUCKET_NAME="no-such-bucket")
    event = event_of(queues.take())
    for _ in range(3):
        assert worker.invoke(event) == {"batchItemFailures": []}
    [[pauses]] = query(migrated.database_url, "SELECT count(*) FROM pause")
    assert (states(migrated), pauses) == (["queued"], 1)


def test_without_the_ledger_the_messages_that_name_rows_return_and_no_other(
    migrated: Deployment, queues: SqsQueues
) -> None:
    gone = migrated.database_url.rpartition("/")[0] + "/no_such_database"
    worker = migrated.sandbox("SyncWorkerFunction", DATABASE_URL_ARN="", DATABASE_URL=gone)
    for body in ('{"id": 1}', "not JSON", '{"id": 2}'):
        queues.send(body)
    taken = queues.take()
    assert queues.settle(taken, worker.invoke(event_of(taken))) == 2
    assert sorted(m["Body"] for m in queues.take()) == ['{"id": 1}', '{"id": 2}']


def test_a_message_that_names_no_row_becomes_a_dead_letter(
    migrated: Deployment, queues: SqsQueues, worker: Sandbox
) -> None:
    migrated.put("good.jpg", b"content")
    queues.send("not JSON")
    queues.send('{"id": "7"}')
    post(migrated.sandbox("IngestFunction"), "good.jpg")
    taken = queues.take()
    assert len(taken) == 3
    assert queues.settle(taken, worker.invoke(event_of(taken))) == 0
    assert states(migrated) == ["synced"]
    dead = [json.loads(m["Body"]) for m in queues.take(dead=True)]
    assert sorted((d["data"], d["reason"]) for d in dead) == [
        ("not JSON", "not JSON"),
        ('{"id": "7"}', "the id is not a whole number"),
    ]


def test_a_row_whose_message_was_lost_is_published_again(
    migrated: Deployment, queues: SqsQueues
) -> None:
    post(migrated.sandbox("IngestFunction"), "lost.jpg")
    assert len(queues.take()) == 1
    requeue = migrated.sandbox("RequeueFunction", DELIVERY_SECONDS="3600")
    assert requeue.invoke(SCHEDULE)["published"] == 0
    execute(migrated.database_url, "UPDATE file_sync SET due_at = now()")
    assert requeue.invoke(SCHEDULE)["published"] == 1
    assert len(queues.take()) == 1
