from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator

import pytest

from tests.aws.runtime_api import FunctionError, RuntimeApi


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    api = RuntimeApi()
    yield api
    api.close()


def take(api: RuntimeApi) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(api.address, timeout=10)
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = connection.getresponse()
    return connection, answer, answer.read()


def report(connection: http.client.HTTPConnection, path: str, body: bytes) -> int:
    connection.request("POST", f"/2018-06-01/runtime/{path}", body)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_an_event_goes_out_with_its_deadline_and_its_answer_comes_back(api: RuntimeApi) -> None:
    before = time.time()
    invocation = api.send({"n": 1}, seconds=3)
    connection, answer, body = take(api)
    assert json.loads(body) == {"n": 1}
    deadline = int(answer.headers["Lambda-Runtime-Deadline-Ms"]) / 1000
    assert before + 2.9 < deadline < time.time() + 3
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    assert report(connection, f"invocation/{request_id}/response", b'"done"') == 202
    assert invocation.answer.result(5) == b'"done"'
    connection.close()


def test_a_reported_error_is_raised_where_the_event_was_sent(api: RuntimeApi) -> None:
    invocation = api.send({}, seconds=3)
    connection, answer, _ = take(api)
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    body = b'{"errorType": "LedgerUnavailable", "errorMessage": "gone"}'
    assert report(connection, f"invocation/{request_id}/error", body) == 202
    with pytest.raises(FunctionError, match="LedgerUnavailable: gone"):
        invocation.answer.result(5)
    connection.close()


def test_an_answer_to_an_event_that_was_never_sent_is_refused(api: RuntimeApi) -> None:
    connection = http.client.HTTPConnection(api.address, timeout=10)
    assert report(connection, "invocation/unknown/response", b"{}") == 404
    connection.close()


def test_the_next_event_is_waited_for(api: RuntimeApi) -> None:
    taken: list[bytes] = []

    def wait() -> None:
        connection, _, body = take(api)
        taken.append(body)
        connection.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    with api.polled:
        assert api.polled.wait_for(lambda: api.polls == 1, timeout=10)
    assert taken == []
    api.send("late", seconds=3)
    waiting.join(10)
    assert taken == [b'"late"']


def test_an_invocation_takes_no_longer_than_the_network(api: RuntimeApi) -> None:
    rounds = 100
    for n in range(rounds):
        api.send(n, seconds=3)
    connection = http.client.HTTPConnection(api.address, timeout=10)
    start = time.perf_counter()
    for n in range(rounds):
        connection.request("GET", "/2018-06-01/runtime/invocation/next")
        answer = connection.getresponse()
        assert answer.read() == str(n).encode()
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        assert report(connection, f"invocation/{request_id}/response", b"null") == 202
    # One delayed acknowledgement alone would be 40 ms a round.
    assert (time.perf_counter() - start) / rounds < 0.02
    connection.close()
