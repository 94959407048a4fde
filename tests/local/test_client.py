from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.client import Client, GivenUp, NotAnswered, NotRunning, curl, proxied
from shared.http.signing import sign
from tests.helpers.servers import free_port

KEY = b"key"
ADDRESS = "/sync/0/"


class Recorder(ThreadingHTTPServer):
    """Answers with prepared statuses, the last one for ever, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RecordingHandler)
        self.statuses: list[int] = []
        self.document = json.dumps({"detail": "x"}).encode()
        self.retry_after = ("Retry-After", "0")
        self.requests: list[tuple[str, str | None, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class RecordingHandler(BaseHTTPRequestHandler):
    server: Recorder

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.requests.append((self.command, self.headers.get("Authorization"), body))
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header(*self.server.retry_after)
        document = self.server.document
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


@pytest.mark.parametrize("status", [412, 503])
def test_a_service_that_never_accepts_is_given_up_after_a_time_that_is_named(
    status: int, recorder: Recorder
) -> None:
    recorder.statuses = [status]
    recorder.retry_after = ("retry-after", "0.1")
    shown: list[str] = []
    client = Client(recorder.url, KEY, retry_seconds=1, show=shown.append)
    with pytest.raises(GivenUp, match=rf"{status} x; given up after 1 s"):
        client.post(b"{}")
    assert 2 <= len(recorder.requests) <= 11
    assert shown == [f"{status} x: repeated for up to 1 s"]


def test_a_pause_that_is_longer_than_the_time_left_is_not_begun(recorder: Recorder) -> None:
    recorder.statuses = [503]
    recorder.retry_after = ("Retry-After", "3600")
    with pytest.raises(GivenUp):
        Client(recorder.url, KEY).status(ADDRESS)
    assert len(recorder.requests) == 1


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_an_unreadable_pause_is_a_second(value: str, recorder: Recorder) -> None:
    recorder.statuses = [503]
    recorder.retry_after = ("Retry-After", value)
    with pytest.raises(GivenUp):
        Client(recorder.url, KEY, retry_seconds=1.5).status(ADDRESS)
    assert len(recorder.requests) == 2


@pytest.mark.parametrize(
    ("status", "content", "shown"),
    [
        (200, b"<html>a proxy</html>", "200 <html>a proxy</html>"),
        (502, b"<html>Bad Gateway</html>", "502 <html>Bad Gateway</html>"),
        (404, b'{"detail": "Not found"}', "404 Not found"),
    ],
)
def test_what_is_no_state_is_shown(
    status: int, content: bytes, shown: str, recorder: Recorder
) -> None:
    recorder.statuses, recorder.document = [status], content
    with pytest.raises(NotAnswered, match=shown):
        Client(recorder.url, KEY).status(ADDRESS)


def test_what_became_of_a_request_is_asked_for_without_a_signature(recorder: Recorder) -> None:
    recorder.statuses, recorder.document = [503, 200], b'{"state": "failed", "reason": "no"}'
    answer = Client(recorder.url, KEY).status(ADDRESS)
    assert answer.document == {"state": "failed", "reason": "no"}
    assert recorder.requests == [("GET", None, b"")] * 2


def test_no_proxy_is_used(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    recorder.statuses = [201]
    assert Client(recorder.url, KEY).post(b"{}").status == 201


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"http_proxy": "http://proxy:1"}, True),
        ({"all_proxy": "http://proxy:1"}, True),
        ({"http_proxy": "http://proxy:1", "no_proxy": "example.com,localhost"}, False),
        ({"https_proxy": "http://proxy:1"}, False),
    ],
)
def test_a_curl_line_goes_around_a_proxy(
    variables: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheme in ("http", "https", "all", "no"):
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    url = "http://localhost:1"
    assert proxied(url) is expected
    line = shlex.split(curl(url, KEY, b"{}", proxied=expected))
    assert ("--noproxy" in line) is expected


def test_a_service_that_is_not_there_is_said_to_be_so() -> None:
    with pytest.raises(NotRunning, match="make run"):
        Client(f"http://127.0.0.1:{free_port()}", KEY).status(ADDRESS)


def test_a_curl_line_survives_the_shell() -> None:
    body = b'{"file_name": "it\'s \\"quoted\\" $HOME.jpg"}'
    words = shlex.split(curl("http://localhost:1", KEY, body))
    assert words[-1].encode() == body
    assert f"Authorization: {sign(KEY, body)}" in words
