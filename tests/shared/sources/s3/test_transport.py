from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from shared.aws.credentials import Credentials
from shared.errors import RetryLater, SourceUnavailable
from shared.sources.s3.location import SignedUrl
from shared.sources.s3.transport import Transport
from tests.helpers.s3_server import FaultyServer, s3_object

SECONDS = 30.0
KEYS = Credentials("key", "secret", "")


class Response:
    """Notes how one response ends."""

    def __init__(self) -> None:
        self.body = b""
        self.error: RetryLater | None = None
        self.ended = threading.Event()

    def on_head(self, status: int, headers: dict[str, str]) -> bool:
        assert headers
        return status == 200

    def on_body(self, data: bytes) -> bool:
        self.body += data
        return True

    def on_end(self, error: RetryLater | None) -> None:
        self.error = error
        self.ended.set()


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(4, 60)
    yield transport
    transport.close()


def start(transport: Transport, url: str) -> Response:
    response = Response()
    target = SignedUrl(url, "us-east-1", KEYS)
    transport.call(lambda: transport.get(target, [], response))
    return response


def test_a_thread_that_fails_ends_its_transfers_and_goes_on(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        FaultyServer(s3_object(b"content")) as s3,
    ):
        silent.settimeout(SECONDS)
        waiting = start(transport, f"http://127.0.0.1:{silent.getsockname()[1]}/bucket/key")
        with silent.accept()[0]:
            transport.call(lambda: sys.exit(1))  # not an `Exception`: no guard holds it
            following = start(transport, f"{s3.url}/bucket/key")

            assert waiting.ended.wait(SECONDS)
            assert isinstance(waiting.error, SourceUnavailable)
            assert following.ended.wait(SECONDS)
            assert following.error is None
            assert following.body == b"content"
    (failed,) = [r for r in caplog.records if r.levelno == logging.CRITICAL]
    assert failed.__dict__["thread_name"] == "transport"
