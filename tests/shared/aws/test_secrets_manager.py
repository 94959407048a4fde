from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.aws import secrets_manager
from shared.aws.secrets_manager import SecretsManager
from shared.errors import SecretsUnavailable, SettingError
from tests.helpers.receiver import Post, Receiver, Reply, closed_port, receiver

PREFIX = "arn:aws:secretsmanager:eu-west-1:123456789012:secret"
TEXT, OTHER, BINARY, MISSING = (
    f"{PREFIX}:{name}-AbCdEf" for name in ("text", "other", "binary", "missing")
)
SECRETS: dict[str, dict[str, Any]] = {
    TEXT: {"SecretString": "hidden"},
    OTHER: {"SecretString": "hidden, too"},
    BINARY: {"SecretBinary": "aGlkZGVu"},
}
VARIABLE = "AWS_ENDPOINT_URL_SECRETS_MANAGER"


def secrets_manager_api(*, batch: bool) -> Callable[[Post], Reply]:
    """Return Secrets Manager's two actions, as its API reference gives them."""

    def answer(post: Post) -> Reply:
        asked = json.loads(post.body)
        match post.headers["x-amz-target"]:
            case "secretsmanager.BatchGetSecretValue" if batch:
                values = [{"ARN": a, **SECRETS[a]} for a in asked["SecretIdList"] if a in SECRETS]
                errors = [
                    {"SecretId": a, "ErrorCode": "ResourceNotFoundException", "Message": "hidden"}
                    for a in asked["SecretIdList"]
                    if a not in SECRETS
                ]
                return reply(200, {"SecretValues": values, "Errors": errors})
            case "secretsmanager.GetSecretValue" if asked["SecretId"] in SECRETS:
                return reply(200, SECRETS[asked["SecretId"]])
            case "secretsmanager.GetSecretValue":
                return reply(400, {"__type": "ResourceNotFoundException", "Message": "hidden"})
        return reply(400, {"__type": "AccessDeniedException", "Message": "hidden"})

    return answer


def reply(status: int, document: object) -> Reply:
    return Reply(status, {}, json.dumps(document).encode())


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hushhush")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver(secrets_manager_api(batch=True)) as running:
        monkeypatch.setenv(VARIABLE, running.url.removesuffix("/hook"))
        yield running


def actions(aws: Receiver) -> list[str]:
    return [post.headers["x-amz-target"].partition(".")[2] for post in aws.posts]


def test_a_secret_is_read_in_the_region_of_its_arn(aws: Receiver) -> None:
    assert SecretsManager()([TEXT]) == {TEXT: "hidden"}
    assert "/eu-west-1/secretsmanager/" in aws.posts[0].headers["authorization"]


def test_secrets_of_a_region_are_read_by_one_request(aws: Receiver) -> None:
    far = TEXT.replace("eu-west-1", "us-east-1")
    found = SecretsManager()([TEXT, OTHER, far])
    assert (found[TEXT], found[OTHER]) == ("hidden", "hidden, too")
    assert actions(aws) == ["BatchGetSecretValue", "GetSecretValue"]
    assert "/us-east-1/" in aws.posts[1].headers["authorization"]


def test_without_the_right_to_read_several_each_is_read_alone(aws: Receiver) -> None:
    aws.answer = secrets_manager_api(batch=False)
    assert SecretsManager()([TEXT, OTHER]) == {TEXT: "hidden", OTHER: "hidden, too"}
    assert actions(aws) == ["BatchGetSecretValue", "GetSecretValue", "GetSecretValue"]
    assert len({post.peer for post in aws.posts}) == 1


@pytest.mark.parametrize("others", [[], [TEXT]])
@pytest.mark.parametrize(
    ("arn", "reason"),
    [
        (MISSING, "the secret cannot be read (ResourceNotFoundException)"),
        (BINARY, "the secret is binary, not text"),
        ("arn:aws:secretsmanager:eu-west-1:123456789012", "not the ARN of a"),
    ],
)
def test_a_secret_that_cannot_be_read_is_an_invalid_setting(
    arn: str, reason: str, others: list[str], aws: Receiver
) -> None:
    assert isinstance(aws, Receiver)
    found = SecretsManager()([arn, *others])
    assert isinstance(found[arn], SettingError)
    assert reason in str(found[arn])
    assert "hidden" not in str(found[arn])
    assert [found[other] for other in others] == ["hidden" for _ in others]


def test_a_server_that_is_silent_or_away_may_answer_later(
    aws: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets_manager, "SECONDS", 0.2)
    aws.answer = lambda _: Reply(200, hold=30)
    with pytest.raises(SecretsUnavailable, match="TimeoutError"):
        SecretsManager()([TEXT])
    monkeypatch.setenv(VARIABLE, f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(SecretsUnavailable, match="ConnectionRefusedError"):
        SecretsManager()([TEXT, OTHER])
