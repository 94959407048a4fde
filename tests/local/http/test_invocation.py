from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from local.http.invocation import HttpRequest, Invoker
from local.http.router import Router
from local.template import Route

SHARED = ValueError("of all of them")


def alone(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return {"statusCode": 200, "body": event["rawQueryString"]}


def joint(events: Sequence[dict[str, Any]], context: Any) -> list[object]:
    queries = [event["rawQueryString"] for event in events]
    if "all" in queries:
        raise SHARED
    return [
        ValueError(query) if query == "fails" else alone(event, context)
        for event, query in zip(events, queries, strict=True)
    ]


@pytest.fixture
def invoker() -> Invoker:
    routes = [Route("POST", "/joint", "joint", 10), Route("POST", "/alone", "alone", 10)]
    together = {("joint", "/joint"): joint}
    return Invoker(Router(routes, lambda _: alone, lambda *route: together.get(route)))


def post(query: str, path: str = "/joint") -> HttpRequest:
    headers = [("host", "localhost"), ("x-request-id", f"id-{query}")]
    return HttpRequest("POST", path, query, "HTTP/1.1", headers, b"", "127.0.0.1")


def test_only_a_function_that_can_is_given_several_requests(invoker: Invoker) -> None:
    assert invoker.joint(post("", "/alone")) is None
    assert invoker.joint(post("", "/nothing")) is None
    assert invoker.joint(post("")) is not None


@pytest.mark.parametrize("query", ["fails", "all"])
def test_of_requests_that_are_answered_together_only_those_fail_that_would_alone(
    invoker: Invoker, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    requests = [post("a"), post(query), post("b")]
    target = invoker.joint(requests[0])
    assert target is not None
    replies = invoker.all(target, requests)
    failed = [query] if query == "fails" else ["a", query, "b"]
    for request, reply in zip(requests, replies, strict=True):
        assert reply.status == (500 if request.query in failed else 200)
        if request.query in failed:
            assert json.loads(reply.body) == {"detail": "Internal server error"}
            assert ("x-request-id", f"id-{request.query}") in reply.headers
        else:
            assert reply.body.decode() == request.query
    logged = [record.__dict__["request_id"] for record in caplog.records]
    assert logged == [f"id-{name}" for name in failed]
    assert all(record.exc_info for record in caplog.records)
