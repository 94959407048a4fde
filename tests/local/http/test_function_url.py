from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from local.http.function_url import event, reply
from shared.http.event import Request, Response
from tests.helpers.events import recorded

EVENT = recorded("function_url")


def made(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "method": "POST",
        "path": "/sync/",
        "query": "",
        "protocol": "HTTP/1.1",
        "headers": [("host", "localhost:27000"), ("content-type", "application/json")],
        "body": b"{}",
        "peer": "203.0.113.7",
        "request_id": "6b1f0a6e-1f0e-4b52-9a43-3f6f0a8f9d11",
        "now": 1795428000.0,
    }
    return event(**(given | changes))


def test_the_event_has_the_documented_shape() -> None:
    documented = EVENT["requestContext"]
    body = EVENT["body"].encode()
    host = EVENT["headers"]["host"]

    found = made(headers=list(EVENT["headers"].items()), body=body)

    context = found["requestContext"]
    for name in ("version", "routeKey", "rawPath", "rawQueryString", "headers", "body"):
        assert found[name] == EVENT[name], name
    assert found["isBase64Encoded"] is False
    assert context["http"] == documented["http"]
    assert context["domainName"] == host
    assert set(context) == set(documented)
    for name in ("accountId", "requestId", "routeKey", "stage", "time", "timeEpoch"):
        assert context[name] == documented[name], name
    assert json.loads(json.dumps(found)) == found


def test_repeated_headers_are_joined_by_commas() -> None:
    found = made(headers=[("x-one", "1"), ("x-one", "2"), ("x-two", "3")])

    assert found["headers"] == {"x-one": "1,2", "x-two": "3"}


def test_cookies_have_their_own_array() -> None:
    found = made(headers=[("cookie", "a=1; b=2"), ("cookie", "c=3;")])

    assert found["cookies"] == ["a=1", "b=2", "c=3"]
    assert "cookie" not in found["headers"]


def test_without_cookies_there_is_no_array() -> None:
    assert "cookies" not in made()


@pytest.mark.parametrize(
    ("content_type", "base64_expected"),
    [
        ("application/json", False),
        ("application/json; charset=utf-8", False),
        ("Application/JSON", False),
        ("text/plain", False),
        ("application/xml", False),
        ("application/javascript", False),
        ("application/x-www-form-urlencoded", True),
        ("image/jpeg", True),
        (None, True),
    ],
)
def test_only_text_is_passed_as_text(content_type: str | None, *, base64_expected: bool) -> None:
    headers = [("content-type", content_type)] if content_type else []

    found = made(headers=headers, body=b'{"a": 1}')

    assert found["isBase64Encoded"] is base64_expected
    expected = base64.b64encode(b'{"a": 1}').decode() if base64_expected else '{"a": 1}'
    assert found["body"] == expected


def test_text_that_is_no_utf_8_arrives_byte_for_byte() -> None:
    found = made(body=b'{"a": "\xff"}')

    assert Request.from_event(found).body == b'{"a": "\xff"}'


def test_no_body_is_no_body() -> None:
    found = made(method="GET", body=b"")

    assert "body" not in found
    assert found["isBase64Encoded"] is False


@pytest.mark.parametrize("path", ["/sync/", "/media/a b/ü.jpg", "/media/100%", "/a?b#c", "/x\ny"])
def test_a_function_reads_the_path_as_it_was(path: str) -> None:
    found = made(path=path)

    assert Request.from_event(found).path == path
    assert found["rawPath"].isascii()


def test_a_functions_answer_becomes_the_reply() -> None:
    answer = Response(201, b"\x00\xff", {"content-type": "image/jpeg"}, ("a=1", "b=2"))

    found = reply(answer.to_event("r-1"))

    assert found.status == 201
    assert found.body == b"\x00\xff"
    assert found.headers == [
        ("content-type", "image/jpeg"),
        ("x-request-id", "r-1"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]


def test_header_names_are_answered_in_lower_case_without_those_of_the_connection() -> None:
    found = reply(
        {
            "statusCode": "200",
            "headers": {"X-One": 1, "Connection": "close", "Content-Length": "7"},
            "body": "é",
        }
    )

    assert found == (200, [("x-one", "1")], "é".encode())


@pytest.mark.parametrize("answer", [{"count": 1}, ["a"], "text", None, 7])
def test_an_answer_without_a_status_is_the_body_of_a_200(answer: object) -> None:
    found = reply(answer)

    assert found.status == 200
    assert found.headers == [("content-type", "application/json")]
    assert json.loads(found.body) == answer


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": 99},
        {"statusCode": 101},
        {"statusCode": 1000},
        {"statusCode": "many"},
        {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error(answer: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        reply(answer)
