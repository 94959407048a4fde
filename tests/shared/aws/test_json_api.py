from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.aws import json_api
from shared.aws.json_api import SECRETS_MANAGER, SQS, JsonApi
from shared.errors import AwsRefused, AwsUnavailable
from tests.helpers.receiver import Post, Receiver, Reply, closed_port, receiver

SECONDS = 5.0


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def call(aws: Receiver) -> Iterator[JsonApi]:
    assert not aws.posts
    with closing(JsonApi(SQS, "eu-west-1")) as sqs:
        yield sqs


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver(lambda _: Reply(200, {}, b'{"MessageId": "1"}')) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", running.url.removesuffix("/hook"))
        yield running


def test_an_action_is_a_signed_post_of_json(aws: Receiver, call: JsonApi) -> None:
    answer = call("SendMessage", {"MessageBody": "7"}, SECONDS)
    assert answer == {"MessageId": "1"}
    (post,) = aws.posts
    assert json.loads(post.body) == {"MessageBody": "7"}
    assert post.headers["x-amz-target"] == "AmazonSQS.SendMessage"
    assert post.headers["content-type"] == "application/x-amz-json-1.0"
    assert "/eu-west-1/sqs/aws4_request" in post.headers["authorization"]


def test_a_service_is_called_as_its_model_says() -> None:
    from botocore.session import Session

    for service in (SECRETS_MANAGER, SQS):
        model = Session().get_service_model(service.name).metadata
        assert (model["targetPrefix"], model["jsonVersion"]) == (service.target, service.json)


def test_the_connection_is_kept_and_a_dead_one_replaced(aws: Receiver, call: JsonApi) -> None:
    for _ in range(2):
        call("SendMessage", {}, SECONDS)
    aws.answer = lambda _: Reply(0)  # closes it
    with pytest.raises(AwsUnavailable, match="RemoteDisconnected"):
        call("SendMessage", {}, SECONDS)
    replies = iter([Reply(200, {}, b"{}"), Reply(0), Reply(200, {}, b"{}")])
    aws.answer = lambda _: next(replies)
    for _ in range(2):
        call("SendMessage", {}, SECONDS)
    peers = [post.peer for post in aws.posts]
    assert peers[0] == peers[1]
    assert len(set(peers)) == 4


def test_a_connection_that_the_server_closes_after_its_answer_is_opened_again(
    aws: Receiver, call: JsonApi
) -> None:
    aws.answer = lambda _: Reply(200, {"Connection": "close"}, b"{}")
    for _ in range(2):
        assert call("SendMessage", {}, SECONDS) == {}
    assert len({post.peer for post in aws.posts}) == 2


def test_an_idle_connection_is_not_trusted(
    aws: Receiver, call: JsonApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_api, "IDLE_SECONDS", 0.0)
    for _ in range(2):
        call("SendMessage", {}, SECONDS)
    assert len({post.peer for post in aws.posts}) == 2


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, b'{"__type": "ResourceNotFoundException", "Message": "hidden"}', "ResourceNotFoundE"),
        (400, b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist"}', "QueueDoesNotExist"),
        (503, b"<html>", "503"),
        (500, b"[]", "500"),
    ],
)
def test_a_refusal_says_its_code(
    aws: Receiver, call: JsonApi, status: int, body: bytes, code: str
) -> None:
    aws.answer = lambda _: Reply(status, {}, body)
    with pytest.raises(AwsRefused, match=code) as caught:
        call("SendMessage", {}, SECONDS)
    assert "hidden" not in str(caught.value)


def test_a_server_that_is_silent_or_away_is_unavailable(
    aws: Receiver, call: JsonApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: Post) -> Reply:
        return Reply(200, hold=30)

    aws.answer = silent
    with pytest.raises(AwsUnavailable, match="TimeoutError"):
        call("SendMessage", {}, 0.2)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(AwsUnavailable, match="ConnectionRefusedError"):
        JsonApi(SQS, "eu-west-1")("SendMessage", {}, SECONDS)
