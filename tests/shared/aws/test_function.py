from __future__ import annotations

import logging

import pytest

from shared.aws.function import Function
from tests.helpers.receiver import Post, Reply, receiver


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def test_a_function_is_started_without_waiting_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(lambda _: Reply(202)) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", aws.url.removesuffix("/hook"))
        assert Function("stack-notify", "eu-west-1").start()
    (post,) = aws.posts
    assert post.path == "/2015-03-31/functions/stack-notify/invocations"
    assert post.headers["x-amz-invocation-type"] == "Event"


def test_a_start_that_fails_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    def throttled(_: Post) -> Reply:
        return Reply(429, {"x-amzn-ErrorType": "TooManyRequestsException"}, b'{"Type": "User"}')

    with receiver(throttled) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", aws.url.removesuffix("/hook"))
        function = Function("stack-notify", "eu-west-1")
        assert not function.start()
    assert not function.start()  # it is gone
    assert [record.getMessage() for record in caplog.records] == ["function not started"] * 2
