from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.client import Client, NotRunning, curl
from shared.http.signing import sign
from tests.helpers.servers import free_port

KEY = b"key"


class Recorder(ThreadingHTTPServer):
    """Answers with prepared statuses and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RecordingHandler)
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str | None, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class RecordingHandler(BaseHTTPRequestHandler):
    server: Recorder

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.requests.append((self.command, self.headers.get("Authorization"), body))
        document = json.dumps({"detail": "x"}).encode()
        self.send_response(self.server.statuses.pop(0))
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps the terminal clean."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as recorder:
        thread = threading.Thread(target=recorder.serve_forever, args=(0.05,))
        thread.start()
        yield recorder
        recorder.shutdown()
        thread.join()


def test_a_request_is_signed_over_the_bytes_that_are_sent(recorder: Recorder) -> None:
    recorder.statuses = [201]
    answer = Client(recorder.url, KEY).post(b'{"a": "\xc3\xa9"}')
    assert answer.status == 201
    assert recorder.requests == [("POST", sign(KEY, b'{"a": "\xc3\xa9"}'), b'{"a": "\xc3\xa9"}')]


def test_a_limited_request_is_sent_again_when_the_service_says(recorder: Recorder) -> None:
    recorder.statuses = [412, 503, 409]
    assert Client(recorder.url, KEY).post(b"{}").status == 409
    assert len(recorder.requests) == 3


def test_a_service_that_is_not_there_is_said_to_be_so() -> None:
    with pytest.raises(NotRunning, match="make run"):
        Client(f"http://127.0.0.1:{free_port()}", KEY).counts()


def test_a_curl_line_survives_the_shell() -> None:
    body = b'{"file_name": "it\'s \\"quoted\\" $HOME.jpg"}'
    words = shlex.split(curl("http://localhost:1", KEY, body))
    assert words[-1].encode() == body
    assert f"Authorization: {sign(KEY, body)}" in words
