"""The black-box contract, kept by the packages that are deployed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from shared.queue.messages import SyncMessage
from shared.queue.rmq_event import Delivery, build
from tests.aws.conftest import Deployment
from tests.aws.exchange import (
    SCHEDULE,
    batch,
    body_of,
    http_event,
    post,
    signed,
    waiting,
)
from tests.aws.sandbox import Sandbox
from tests.helpers.servers import execute


def document(answer: dict[str, Any]) -> Any:
    assert answer["isBase64Encoded"] is False
    return json.loads(answer["body"])


def counts(deployment: Deployment) -> tuple[int, int]:
    answer = deployment.sandbox("StatsFunction").invoke(http_event("GET", "/sync/"))
    assert answer["statusCode"] == 200
    found = document(answer)
    return found["synced_objects_count"], found["queued_objects_count"]


def test_a_package_sees_nothing_but_itself_and_lambdas_own(deployment: Deployment) -> None:
    sandbox = deployment.sandbox("StatsFunction")
    sandbox.invoke(http_event("GET", "/sync/"))
    with (sandbox.maps).open() as mapped:
        files = {line.split(maxsplit=5)[5].strip() for line in mapped if "/" in line}
    foreign = [f for f in files if "site-packages" in f]
    assert foreign == []


def test_a_signed_post_becomes_a_verified_file(migrated: Deployment) -> None:
    ingest, worker = migrated.sandbox("IngestFunction"), migrated.sandbox("SyncWorkerFunction")
    contents = {f"photos/{n} é.jpg": f"content {n}".encode() * 1000 for n in range(20)}
    for name, content in contents.items():
        migrated.put(name, content)
        answer = post(ingest, name)
        assert (answer["statusCode"], answer["body"]) == (
            201,
            '{"detail": "Object queued for sync"}',
        )
    assert counts(migrated) == (0, 20)
    assert worker.invoke(batch(migrated.rabbitmq_url))["synced"] == 20
    assert {name: migrated.file(name).read_bytes() for name in contents} == contents
    assert counts(migrated) == (20, 0)


def test_one_message_delivered_twice_makes_one_file(migrated: Deployment) -> None:
    ingest, worker = migrated.sandbox("IngestFunction"), migrated.sandbox("SyncWorkerFunction")
    migrated.put("once.jpg", b"content")
    post(ingest, "once.jpg")
    event = batch(migrated.rabbitmq_url)
    worker.invoke(event)
    written = migrated.file("once.jpg").stat().st_mtime_ns
    worker.invoke(event)
    assert migrated.file("once.jpg").stat().st_mtime_ns == written
    assert counts(migrated) == (1, 0)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "detail"),
    [
        ("POST", "/sync/", b"x" * 65_537, {}, 413, "Request body too large"),
        ("POST", "/sync/", b"{}", {}, 401, "Missing/empty Authorization header"),
        ("POST", "/sync", b"{}", {"authorization": "0" * 64}, 401, "Invalid HMAC signature hash"),
        ("POST", "/sync/", b"{", signed(b"{"), 400, "Malformed JSON data"),
        ("POST", "/sync/", b"{}", signed(b"{}"), 400, "Invalid JSON data"),
        ("GET", "/sync/", b"", {}, 405, "Method not allowed"),
        ("POST", "/elsewhere", b"", {}, 404, "Not found"),
    ],
)
def test_ingest_refuses_with_the_contracts_answers(
    deployment: Deployment,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    detail: str,
) -> None:
    ingest = deployment.sandbox("IngestFunction")
    answer = ingest.invoke(http_event(method, path, body, headers))
    assert (answer["statusCode"], document(answer)["detail"]) == (status, detail)


def test_the_same_request_is_accepted_once(migrated: Deployment) -> None:
    ingest = migrated.sandbox("IngestFunction")
    assert [post(ingest, "a.jpg")["statusCode"] for _ in range(3)] == [201, 409, 409]
    assert len(waiting(migrated.rabbitmq_url, within=10)) == 1


def test_the_location_of_a_request_is_answered_by_stats(migrated: Deployment) -> None:
    ingest, stats = migrated.sandbox("IngestFunction"), migrated.sandbox("StatsFunction")
    location = post(ingest, "a.jpg")["headers"]["location"]
    answer = stats.invoke(http_event("GET", location))
    assert (answer["statusCode"], document(answer)["state"]) == (200, "queued")


def test_repeated_requests_are_limited(migrated: Deployment) -> None:
    ingest = migrated.sandbox("IngestFunction", RATE_LIMIT_POST="3/h")
    statuses = [post(ingest, "a.jpg")["statusCode"] for _ in range(5)]
    assert statuses == [201, 409, 409, 412, 412]
    refused = post(ingest, "a.jpg")
    assert int(refused["headers"]["retry-after"]) > 0


def test_without_the_database_nothing_is_accepted(deployment: Deployment) -> None:
    gone = deployment.database_url.rpartition("/")[0] + "/no_such_database"
    ingest = deployment.sandbox("IngestFunction", DATABASE_URL=gone)
    answer = post(ingest, "a.jpg")
    assert answer["statusCode"] == 503
    assert int(answer["headers"]["retry-after"]) > 0


def test_status_page_and_description_are_served(deployment: Deployment) -> None:
    stats = deployment.sandbox("StatsFunction")
    page = stats.invoke(http_event("GET", "/status.html"))
    assert (page["statusCode"], page["headers"]["content-type"]) == (
        200,
        "text/html; charset=utf-8",
    )
    assert "/sync/" in document(stats.invoke(http_event("GET", "/openapi.json")))["paths"]


def test_a_row_whose_message_was_lost_is_published_again(migrated: Deployment) -> None:
    post(migrated.sandbox("IngestFunction"), "lost.jpg")
    assert len(waiting(migrated.rabbitmq_url, within=10)) == 1
    requeue = migrated.sandbox("RequeueFunction", DELIVERY_SECONDS="3600")
    assert requeue.invoke(SCHEDULE)["published"] == 0
    execute(migrated.database_url, "UPDATE file_sync SET due_at = now()")
    assert requeue.invoke(SCHEDULE)["published"] == 1
    assert len(waiting(migrated.rabbitmq_url, within=10)) == 1


def test_an_unreadable_message_goes_to_the_dead_letters_and_blocks_nothing(
    migrated: Deployment,
) -> None:
    ingest, worker = migrated.sandbox("IngestFunction"), migrated.sandbox("SyncWorkerFunction")
    migrated.put("good.jpg", b"content")
    post(ingest, "good.jpg")
    good = waiting(migrated.rabbitmq_url, within=10)
    worker.invoke(build([Delivery(body=b"not JSON"), *good, Delivery(body=b'{"id": "7"}')]))
    assert migrated.file("good.jpg").read_bytes() == b"content"
    dead = waiting(migrated.rabbitmq_url, "sync.dead", within=10)
    assert [(d.body, (d.headers or {})["reason"]) for d in dead] == [
        (b"not JSON", "not JSON"),
        (b'{"id": "7"}', "the id is not a whole number"),
    ]
    lines = [json.loads(x) for x in worker.written().splitlines() if x.startswith("{")]
    assert sum(x.get("message") == "unreadable message" for x in lines) == 2


def test_a_message_for_a_row_that_never_was_is_settled(migrated: Deployment) -> None:
    worker = migrated.sandbox("SyncWorkerFunction")
    event = build([Delivery.of(SyncMessage(999_999))])
    assert sum(worker.invoke(event).values()) == 0


def test_migrating_again_changes_nothing(migrated: Deployment) -> None:
    assert migrated.sandbox("MigrateFunction").invoke({}) == {"applied": []}


def test_an_empty_database_is_migrated(deployment: Deployment, postgres_url: str) -> None:
    sandbox = deployment.sandbox("MigrateFunction", DATABASE_URL=postgres_url)
    assert sandbox.invoke({})["applied"][0].startswith("0001")


def test_the_worker_reads_a_large_object_whole(migrated: Deployment) -> None:
    content = bytes(range(256)) * 4096 * 24  # 24 MiB
    migrated.put("large.bin", content)
    post(migrated.sandbox("IngestFunction"), "large.bin")
    worker = migrated.sandbox("SyncWorkerFunction")
    assert worker.invoke(batch(migrated.rabbitmq_url), seconds=60)["synced"] == 1
    found = hashlib.sha256(migrated.file("large.bin").read_bytes()).digest()
    assert found == hashlib.sha256(content).digest()


def test_a_request_through_an_http_api_is_answered_alike(migrated: Deployment) -> None:
    body = body_of("api.jpg")
    event = http_event("POST", "/sync/", body, signed(body))
    # What an HTTP API adds or names otherwise than a Function URL.
    event["routeKey"] = event["requestContext"]["routeKey"] = "POST /sync/{proxy+}"
    event["pathParameters"] = {"proxy": ""}
    event["requestContext"] |= {"accountId": "123456789012", "authentication": None}
    assert migrated.sandbox("IngestFunction").invoke(event)["statusCode"] == 201


def requested(deployment: Deployment, kind: str, function: Sandbox) -> dict[str, Any]:
    """Have the function answer a request of CloudFormation, and return what is waiting for it."""
    at = {"Bucket": deployment.bucket, "Key": "answer"}
    request = {
        "RequestType": kind,
        "ResponseURL": deployment.s3.generate_presigned_url("put_object", at),
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/under-test/1",
        "RequestId": "one",
        "LogicalResourceId": "Ledger",
        "ResourceType": "Custom::Ledger",
        "ResourceProperties": {},
    }
    function.invoke(request, seconds=900)
    answered: dict[str, Any] = json.loads(deployment.s3.get_object(**at)["Body"].read())
    return answered


def test_a_deployment_is_answered_once_ledger_and_queues_are_there(
    deployment: Deployment, postgres_url: str
) -> None:
    changes = {"DATABASE_URL_ARN": "", "DATABASE_URL": postgres_url}
    migrate = deployment.sandbox("MigrateFunction", **changes)
    assert requested(deployment, "Create", migrate)["Status"] == "SUCCESS"
    ingest = deployment.sandbox("IngestFunction", **changes)
    assert post(ingest, "a.jpg")["statusCode"] == 201
    assert len(waiting(deployment.rabbitmq_url, within=10)) == 1
    assert requested(deployment, "Update", migrate)["Status"] == "SUCCESS"


def test_a_deployment_that_cannot_migrate_gets_the_reason(deployment: Deployment) -> None:
    gone = deployment.database_url.rpartition("/")[0] + "/no_such_database"
    migrate = deployment.sandbox("MigrateFunction", DATABASE_URL_ARN="", DATABASE_URL=gone)
    answered = requested(deployment, "Update", migrate)
    assert answered["Status"] == "FAILED"
    assert "no_such_database" in answered["Reason"]
    assert requested(deployment, "Delete", migrate)["Status"] == "SUCCESS"
