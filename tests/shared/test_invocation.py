from __future__ import annotations

import json
from typing import Any

import pytest

from local.context import Context
from shared.config import renewal
from shared.deadline import within
from shared.errors import LedgerUnavailable, SecretsUnavailable
from shared.invocation import invocation
from tests.helpers.events import recorded

HTTP = recorded("function_url")


@pytest.fixture(autouse=True)
def marks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    marks: list[str] = []
    monkeypatch.setattr(renewal, "mark_stale", lambda: marks.append("stale"))
    return marks


def test_waits_end_before_the_invocation_does() -> None:
    @invocation
    def handler(*_: Any) -> dict[str, Any]:
        return {"left": within(60)}

    assert handler({}, Context(10))["left"] <= 9


def test_a_request_gets_503_while_the_secrets_cannot_be_read() -> None:
    @invocation
    def handler(*_: Any) -> dict[str, Any]:
        raise SecretsUnavailable("TimeoutError")

    answer = handler(HTTP, Context(10))
    assert answer["statusCode"] == 503
    assert int(answer["headers"]["retry-after"]) > 0
    assert json.loads(answer["body"]) == {"detail": "Service unavailable"}
    with pytest.raises(SecretsUnavailable):
        handler({"rmqMessagesByQueue": {}}, Context(10))


def test_a_failure_and_an_unreachable_server_mark_the_secrets_stale(marks: list[str]) -> None:
    @invocation
    def failing(*_: Any) -> dict[str, Any]:
        raise LedgerUnavailable

    @invocation
    def answering(event: Any, *_: Any) -> dict[str, Any]:
        return {"statusCode": event}

    with pytest.raises(LedgerUnavailable):
        failing({}, Context(10))
    assert len(marks) == 1
    answering(200, Context(10))
    assert len(marks) == 1
    answering(503, Context(10))
    assert len(marks) == 2
