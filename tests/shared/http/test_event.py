from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.event import Request, Response
from shared.http.request_id import is_safe
from tests.helpers.events import recorded

EVENT = recorded("function_url")
STATUSES = st.integers(200, 599)


def event(**changes: Any) -> dict[str, Any]:
    return {**EVENT, **changes}


def test_a_function_url_event_is_read() -> None:
    request = Request.from_event(EVENT)
    assert (request.method, request.path, request.peer) == ("POST", "/sync/", "203.0.113.7")
    assert request.request_id == "6b1f0a6e-1f0e-4b52-9a43-3f6f0a8f9d11"
    assert request.headers["content-type"] == "application/json"
    assert request.body == EVENT["body"].encode()
    assert (request.query, request.cookies) == ({}, {})


def test_keys_that_aws_leaves_out_or_nulls_are_read_as_nothing() -> None:
    bare = {"requestContext": {"http": {"method": "get"}}}
    nulls = {
        **bare,
        **dict.fromkeys(("rawPath", "rawQueryString", "headers", "cookies", "body")),
        "isBase64Encoded": None,
    }
    for sparse in (bare, nulls):
        request = Request.from_event(sparse)
        assert request == Request(
            method="GET",
            path="/",
            query={},
            headers={},
            cookies={},
            body=b"",
            peer="",
            request_id=request.request_id,
        )


@pytest.mark.parametrize(
    ("raw_path", "stage", "path"),
    [
        ("/sync/", "$default", "/sync/"),
        ("/prod/sync/", "prod", "/sync/"),
        ("/prod", "prod", "/"),
        ("/production/sync", "prod", "/production/sync"),
        ("/sync/", "prod", "/sync/"),
        ("/media/a%20b/%C3%BC.jpg", "$default", "/media/a b/ü.jpg"),
        ("/sync/", None, "/sync/"),
        ("/%ff", "$default", "/\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_the_path_is_decoded_and_without_its_stage(
    raw_path: str, stage: str | None, path: str
) -> None:
    context = {**EVENT["requestContext"], "stage": stage}
    assert Request.from_event(event(rawPath=raw_path, requestContext=context)).path == path


def test_the_first_value_of_a_repeated_parameter_counts() -> None:
    request = Request.from_event(event(rawQueryString="detail=1&detail=0&empty=&a=%20b"))
    assert request.query == {"detail": "1", "empty": "", "a": " b"}


def test_cookies_come_from_their_own_array() -> None:
    request = Request.from_event(event(cookies=["a=1", "b=x=y", "a=2", "c"]))
    assert request.cookies == {"a": "1", "b": "x=y", "c": ""}


@pytest.mark.parametrize("body", ["%%%", "abc", "YWJj\n", "ü", "\ud800"])
def test_a_body_that_is_not_base64_fails_every_signature(body: str) -> None:
    request = Request.from_event(event(body=body, isBase64Encoded=True))
    assert request.body == body.encode(errors="surrogatepass")


def test_a_lone_surrogate_in_a_plain_body_is_kept() -> None:
    assert Request.from_event(event(body="\ud800")).body == b"\xed\xa0\x80"


@given(st.binary())
def test_every_body_arrives_as_it_was_sent(body: bytes) -> None:
    encoded = event(body=base64.b64encode(body).decode(), isBase64Encoded=True)
    assert Request.from_event(encoded).body == body


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_plain_body_arrives_as_it_was_sent(body: str) -> None:
    assert Request.from_event(event(body=body)).body == body.encode()


def bytes_of(answer: dict[str, Any]) -> bytes:
    body: str = answer["body"]
    return base64.b64decode(body, validate=True) if answer["isBase64Encoded"] else body.encode()


@given(
    status=STATUSES,
    body=st.binary(),
    content_type=st.sampled_from(
        ["application/json", "text/html; charset=latin-1", "image/jpeg", "TEXT/PLAIN", ""]
    ),
    cookies=st.lists(st.sampled_from(["a=1; Path=/", "b=2"]), max_size=2),
)
def test_every_answer_survives_its_event(
    status: int, body: bytes, content_type: str, cookies: list[str]
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = Response(status, body, headers, tuple(cookies)).to_event("r-1")
    assert json.loads(json.dumps(answer)) == answer
    assert answer["statusCode"] == status
    assert answer["headers"] == headers | {"x-request-id": "r-1"}
    assert bytes_of(answer) == body
    assert answer.get("cookies", []) == cookies


@pytest.mark.parametrize(
    ("content_type", "plain"),
    [
        ("application/json", True),
        ("text/html; charset=utf-8", True),
        ("application/javascript", True),
        ("image/png", False),
        ("", False),
    ],
)
def test_only_text_goes_out_plain(content_type: str, plain: bool) -> None:
    answer = Response(200, b"text", {"content-type": content_type}).to_event("r")
    assert answer["isBase64Encoded"] is not plain


def test_a_json_answer_is_utf_8() -> None:
    answer = Response.json(201, {"detail": "ü"}, {"x": "y"})
    assert answer.body == '{"detail": "ü"}'.encode()
    assert answer.headers == {"content-type": "application/json", "x": "y"}


@pytest.mark.parametrize("given", [None, "", "a b", "a\r\nx: y", "ü", "x" * 129, "=1+1"])
def test_a_request_without_a_safe_id_gets_one_of_its_own(given: str | None) -> None:
    context = {**EVENT["requestContext"], "requestId": given}
    ids = {Request.from_event({**EVENT, "requestContext": context}).request_id for _ in range(2)}
    assert len(ids) == 2
    assert all(is_safe(request_id) for request_id in ids)
