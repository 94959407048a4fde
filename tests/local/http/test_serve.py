"""The HTTP shim as its own process, over real sockets."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shared.http.body_limits import EVENT_BYTES
from shared.http.request_id import is_safe
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port
from tests.helpers.waiting import until

LIMIT = 1_000


class Shim(NamedTuple):
    process: subprocess.Popen[bytes]
    port: int
    started: Path
    log: Path


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


def start_shim(folder: Path, workers: int = 1) -> Shim:
    port = free_port()
    log = folder / "log"
    started = folder / "started"
    variables = {
        **os.environ,
        "PORT": str(port),
        "WORKERS": str(workers),
        "THREADS": "2",
        "MAX_BODY_BYTES": str(LIMIT),
        "STARTED_FILE": str(started),
        "ALLOWED_HOSTS": "sync.example.com",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.local.http.shim_functions"],
            env=variables,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    until(lambda: answers(port) or process.poll() is not None)
    assert process.poll() is None, log.read_text()
    return Shim(process, port, started, log)


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[Shim]:
    shim = start_shim(tmp_path)
    yield shim
    shim.process.terminate()
    shim.process.wait(30)


def answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/get").status == 200
    except OSError:
        return False


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: Any = None
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def raw(port: int, request: bytes, *, cut: bool = False) -> bytes:
    """Sends bytes and reads until the server closes; with `cut`, ends our side first."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        if cut:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65_536):
            received += data
        return received


def test_a_request_reaches_its_function_whole(shim: Shim) -> None:
    answer = ask(
        shim.port,
        "POST",
        "/echo/a%20b?x=1&x=2",
        b'{"a": 1}',
        {"Content-Type": "application/json", "X-One": "1", "Cookie": "a=1; b=2"},
    )

    event = answer.json()
    assert answer.status == 200
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["rawPath"] == "/echo/a%20b"
    assert event["rawQueryString"] == "x=1&x=2"
    assert event["headers"]["x-one"] == "1"
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["body"] == '{"a": 1}'
    assert event["isBase64Encoded"] is False
    assert [v for k, v in answer.headers if k == "set-cookie"] == ["a=1", "b=2"]
    assert answer.header("content-type") == "application/json"


def test_a_chunked_body_is_put_together(shim: Shim) -> None:
    answer = raw(
        shim.port,
        b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
        b"Connection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n5")


def test_no_more_than_a_byte_too_many_is_read(shim: Shim) -> None:
    for headers in ({}, {"Transfer-Encoding": "chunked"}):
        size = LIMIT * 10
        body = b"x" * size
        if headers:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
        answer = ask(shim.port, "POST", "/size", body, {"Content-Type": "text/plain", **headers})
        assert answer.json() == LIMIT + 1


def test_events_have_a_limit_of_their_own(shim: Shim) -> None:
    text = {"Content-Type": "text/plain"}
    for size, read in ((LIMIT * 10, LIMIT * 10), (EVENT_BYTES * 2, EVENT_BYTES + 1)):
        assert ask(shim.port, "POST", "/events/s3/", b"x" * size, text).json() == read


def test_a_body_that_ends_in_the_middle_reaches_no_function(shim: Shim) -> None:
    answer = raw(
        shim.port,
        b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab",
        cut=True,
    )

    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.endswith(b'{"detail": "Incomplete request body"}')


@pytest.mark.parametrize(
    "length", [b"-1", b"abc", b"5\r\nContent-Length: 6", b"99999999999999999999"]
)
def test_a_wrong_content_length_is_refused(shim: Shim, length: bytes) -> None:
    answer = raw(
        shim.port,
        b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + length + b"\r\n\r\nabcde",
    )

    assert answer.startswith(b"HTTP/1.1 400")


def test_head_is_answered_as_get_without_the_body(shim: Shim) -> None:
    answer = ask(shim.port, "HEAD", "/get")

    assert answer.status == 200
    assert answer.body == b""
    assert int(answer.header("content-length") or 0) > 0


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE", "FROBNICATE"])
def test_a_method_without_a_route_is_a_405(shim: Shim, method: str) -> None:
    answer = ask(shim.port, method, "/get")

    assert answer.status == 405
    assert answer.header("allow") == "GET, HEAD"
    assert answer.json() == {"detail": "Method not allowed"}


@pytest.mark.parametrize("path", ["/", "/none", "/get/", "*", "/%00", "/%ff"])
def test_a_path_without_a_route_is_a_404(shim: Shim, path: str) -> None:
    answer = ask(shim.port, "GET", path)

    assert answer.status == 404
    assert answer.header("content-type") == "application/json"
    assert answer.json() == {"detail": "Not found"}


def test_a_function_that_fails_is_a_500_and_one_log_record(shim: Shim) -> None:
    answer = ask(shim.port, "GET", "/boom")

    assert answer.status == 500
    assert answer.json() == {"detail": "Internal server error"}
    until(lambda: "a secret of the program" in shim.log.read_text())
    assert shim.log.read_text().count("function failed") == 1


def test_every_answer_of_the_server_s_own_has_the_id_of_its_request(shim: Shim) -> None:
    for method, path, headers, status in (
        ("GET", "/boom", {}, 500),
        ("GET", "/none", {}, 404),
        ("DELETE", "/get", {}, 405),
        ("GET", "/get", {"Host": "elsewhere.example.com"}, 421),
    ):
        answer = ask(shim.port, method, path, headers={**headers, "X-Request-Id": "order-17"})
        assert (answer.status, answer.header("x-request-id")) == (status, "order-17")
        answer = ask(shim.port, method, path, headers=headers)
        assert is_safe(answer.header("x-request-id") or "")


def test_a_safe_id_is_the_function_s_and_any_other_never_gets_in(shim: Shim) -> None:
    def id_with(*headers: bytes) -> str:
        start = b"GET /get HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        answer = raw(shim.port, b"\r\n".join([start.rstrip(), *headers, b"", b""]))
        event = json.loads(answer.partition(b"\r\n\r\n")[2])
        return str(event["requestContext"]["requestId"])

    assert id_with(b"X-Request-Id: order-17") == "order-17"
    unsafe = ["", "a b", "a\tb", "x" * 129, "größe", "=1", "a\u202eb"]
    ids = {id_with(f"X-Request-Id: {text}".encode()) for text in unsafe}
    ids.add(id_with(b"X-Request-Id: order-17", b"X-Request-Id: order-18"))
    assert len(ids) == len(unsafe) + 1
    assert all(is_safe(request_id) for request_id in ids)
    assert not ids & {*unsafe, "order-17", "order-18"}


def test_clients_that_stall_in_mid_body_hold_nobody_up(shim: Shim) -> None:
    stalled = [socket.create_connection(("127.0.0.1", shim.port)) for _ in range(50)]
    for connection in stalled:
        connection.sendall(b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab")
    started = time.monotonic()

    assert ask(shim.port, "GET", "/get").status == 200

    assert time.monotonic() - started < 5
    for connection in stalled:
        connection.close()


def test_functions_that_hang_are_answered_for_within_ten_seconds(shim: Shim) -> None:
    def one(number: int) -> tuple[Answer, float]:
        began = time.monotonic()
        answer = ask(shim.port, "GET", "/stall", headers={"X-Request-Id": f"order-{number}"})
        return answer, time.monotonic() - began

    with ThreadPoolExecutor(6) as pool:
        answered = list(pool.map(one, range(6)))
    for number, (answer, seconds) in enumerate(answered):
        assert (answer.status, answer.json()) == (503, {"detail": "Service unavailable"})
        assert (answer.header("retry-after"), answer.header("x-request-id")) == (
            "1",
            f"order-{number}",
        )
        assert seconds < 10
    until(lambda: ask(shim.port, "GET", "/get").status == 200)
    # Those that waited for one of the two threads had their answer before it was free.
    assert shim.started.read_text().split() == ["stall"] * 2


def test_people_wait_longer_than_clients(shim: Shim) -> None:
    began = time.monotonic()
    answer = ask(shim.port, "GET", "/admin/stall")
    assert time.monotonic() - began >= 10
    assert answer.status != 503


def test_many_requests_at_once_are_all_answered(shim: Shim) -> None:
    def one(number: int) -> Any:
        body = json.dumps(number).encode()
        answer = ask(shim.port, "POST", "/echo", body, {"Content-Type": "application/json"})
        return json.loads(answer.json()["body"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(200))) == list(range(200))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_answers_what_is_in_flight_and_runs_exit_hooks(
    shim: Shim, number: signal.Signals
) -> None:
    found: list[Answer] = []
    thread = threading.Thread(target=lambda: found.append(ask(shim.port, "GET", "/slow")))
    thread.start()
    until(shim.started.exists)

    shim.process.send_signal(number)
    thread.join(20)

    assert shim.process.wait(20) == 0
    assert found[0].status == 200
    assert 0 < found[0].json()["left"] < 5_000
    # One file from the main process and one from its worker, where functions live.
    assert len(list(shim.started.parent.glob("started.*"))) == 2


def test_it_can_be_stopped_while_workers_are_still_starting(tmp_path: Path) -> None:
    for _ in range(5):
        shim = start_shim(tmp_path, workers=4)
        shim.process.terminate()
        try:
            assert shim.process.wait(20) == 0, shim.log.read_text()
        finally:
            shim.process.kill()


def test_a_worker_whose_first_process_is_killed_answers_and_ends(shim: Shim) -> None:
    found: list[Answer] = []
    thread = threading.Thread(target=lambda: found.append(ask(shim.port, "GET", "/slow")))
    thread.start()
    until(shim.started.exists)

    shim.process.kill()
    thread.join(20)

    assert found[0].status == 200
    until(lambda: list(shim.started.parent.glob("started.*")))  # its exit hooks have run
    until(lambda: not answers(shim.port))


def request(*lines: str) -> bytes:
    return "\r\n".join((*lines, "Connection: close", "", "")).encode()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("GET /get HTTP/1.1", "Host: localhost"), 200),
        (("GET /get HTTP/1.1", "Host: LOCALHOST.:1"), 200),
        (("GET /get HTTP/1.1", "Host: 127.9.9.9:27000"), 200),
        (("GET /get HTTP/1.1", "Host: [::1]:27000"), 200),
        (("GET /get HTTP/1.1", "Host: sync.example.com"), 200),
        (("GET /get HTTP/1.0",), 200),
        (("GET http://localhost/get HTTP/1.1", "Host: localhost"), 200),
        (("GET /get HTTP/1.1", "Host: evil.example"), 421),
        (("GET /get HTTP/1.1", "Host: evil.example:27000"), 421),
        (("GET /get HTTP/1.1", "Host: localhost.evil.example"), 421),
        (("GET /get HTTP/1.1", "Host: localhost@evil.example"), 421),
        (("GET /get HTTP/1.1", "Host: 192.0.2.1"), 421),
        (("GET /get HTTP/1.1", "Host:"), 421),
        (("GET /get HTTP/1.0", "Host: evil.example"), 421),
        (("GET /nowhere HTTP/1.1", "Host: evil.example"), 421),
        (("POST /size HTTP/1.1", "Host: evil.example", "Content-Length: 5"), 421),
        (("GET http://evil.example/get HTTP/1.1", "Host: localhost"), 421),
        (("GET http://localhost/get HTTP/1.1", "Host: evil.example"), 421),
        (("GET /get HTTP/1.1",), 400),
        (("GET /get HTTP/1.1", "Host: localhost", "Host: evil.example"), 400),
    ],
)
def test_only_requests_for_this_service_reach_a_function(
    shim: Shim, lines: tuple[str, ...], status: int
) -> None:
    head, _, body = raw(shim.port, request(*lines)).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    if status == 421:
        assert json.loads(body) == {
            "detail": "The service does not have this host name, see ALLOWED_HOSTS"
        }
