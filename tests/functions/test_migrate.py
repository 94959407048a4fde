"""The custom resource of CloudFormation: every request is answered, once, with the reason."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import boto3
import pytest

from functions.migrate import custom_resource
from functions.migrate.handler import handler
from shared.errors import MigrationFailed
from shared.ledger.migrate import MIGRATIONS
from tests.helpers.servers import free_port, query
from tests.helpers.sqs import SqsQueues
from tests.helpers.waiting import until

PLENTY = 900_000
REQUEST = {
    "RequestType": "Create",
    "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/sync/1",
    "RequestId": "one",
    "LogicalResourceId": "Ledger",
    "ResourceType": "Custom::Ledger",
    "ResourceProperties": {"Release": "1"},
}


class Context:
    log_group_name = "/aws/lambda/sync-migrate"

    def __init__(self, milliseconds: int = PLENTY) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


class Answers:
    """Where CloudFormation waits for the answer: an object that a presigned URL writes."""

    def __init__(self, endpoint: str) -> None:
        self._s3 = boto3.client(
            "s3",
            "us-east-1",
            endpoint_url=endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        self._at = {"Bucket": f"answers-{uuid.uuid4().hex[:12]}", "Key": "answer"}
        self._s3.create_bucket(Bucket=self._at["Bucket"])

    def request(self, kind: str, **changes: object) -> dict[str, Any]:
        url = self._s3.generate_presigned_url("put_object", self._at)
        return REQUEST | {"RequestType": kind, "ResponseURL": url} | changes

    @property
    def given(self) -> dict[str, Any]:
        answered: dict[str, Any] = json.loads(self._s3.get_object(**self._at)["Body"].read())
        return answered

    def wait(self) -> dict[str, Any]:
        until(lambda: "Contents" in self._s3.list_objects_v2(Bucket=self._at["Bucket"]))
        return self.given


@pytest.fixture
def answers(s3_endpoint: str) -> Answers:
    return Answers(s3_endpoint)


def test_a_new_stack_gets_its_ledger_and_queues_of_sqs_need_no_declaration(
    answers: Answers, postgres_url: str, sqs: SqsQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    monkeypatch.setenv("SQS_QUEUE_URL", sqs.url)
    handler(answers.request("Create"), Context())
    assert answers.given == {
        "Status": "SUCCESS",
        "PhysicalResourceId": "ledger",
        "StackId": REQUEST["StackId"],
        "RequestId": "one",
        "LogicalResourceId": "Ledger",
    }
    [[applied]] = query(postgres_url, "SELECT count(*) FROM _yoyo_migration")
    assert applied == len([m for m in MIGRATIONS.glob("*.sql") if "rollback" not in m.name])


def test_any_other_event_is_answered_with_what_was_applied(
    database_url: str, rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("RABBITMQ_URL", rabbitmq_url)
    assert handler({}, Context()) == {"applied": []}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MigrationFailed("0007: disk\nfull"), "0007: disk full"),
        (
            KeyError("a secret"),
            "migrate failed with KeyError; see log group /aws/lambda/sync-migrate",
        ),
        (MigrationFailed("x" * 9_000), "x" * 900),
    ],
)
def test_a_failure_is_answered_with_its_reason_and_no_more(
    answers: Answers, error: Exception, reason: str
) -> None:
    def fail() -> None:
        raise error

    custom_resource.answer(answers.request("Update"), Context(), fail)
    assert answers.given["Status"] == "FAILED"
    assert reason in answers.given["Reason"]
    assert "secret" not in answers.given["Reason"]
    assert len(json.dumps(answers.given)) < 4096


def test_a_stack_that_is_deleted_keeps_its_data(answers: Answers) -> None:
    request = answers.request("Delete", PhysicalResourceId="older")
    custom_resource.answer(request, Context(), lambda: pytest.fail("called"))
    assert answers.given["Status"] == "SUCCESS"
    assert answers.given["PhysicalResourceId"] == "older"


def test_what_takes_too_long_is_answered_before_the_function_is_stopped(answers: Answers) -> None:
    waited = threading.Event()

    def take_long() -> None:
        answers.wait()
        waited.set()

    left = custom_resource.MARGIN_SECONDS * 1000 + 50
    custom_resource.answer(answers.request("Update"), Context(int(left)), take_long)
    assert waited.is_set()
    assert answers.given["Status"] == "FAILED"
    assert "migrate did not finish within 0 s" in answers.given["Reason"]


def test_an_answer_that_cannot_be_delivered_is_an_error_so_that_lambda_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(custom_resource, "SECONDS", 0.2)
    request = REQUEST | {"ResponseURL": f"http://127.0.0.1:{free_port()}/answer"}
    with pytest.raises(OSError, match="refused"):
        custom_resource.answer(request, Context(), lambda: None)
