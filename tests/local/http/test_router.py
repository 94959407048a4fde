from __future__ import annotations

from typing import Any

import pytest

from local.http.router import Router, Target
from local.template import Route, load

ROUTES = (
    Route("POST", "/sync/", "ingest", 10),
    Route("GET", "/sync/", "stats", 20),
    Route("ANY", "/admin", "admin", 30),
    Route("ANY", "/admin/{proxy+}", "admin", 30),
    Route("GET", "/admin/media/{proxy+}", "media", 40),
    Route("GET", "/admin/exact", "exact", 50),
)


class Handler:
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, event: dict[str, Any], context: Any) -> object:
        raise AssertionError((event, context))


@pytest.mark.parametrize(
    ("method", "path", "handler"),
    [
        ("POST", "/sync/", "ingest"),
        ("GET", "/sync/", "stats"),
        ("HEAD", "/sync/", "stats"),
        ("GET", "/admin", "admin"),
        ("GET", "/admin/", "admin"),
        ("DELETE", "/admin/file/7", "admin"),
        ("HEAD", "/admin/file/7", "admin"),
        ("GET", "/admin/media/a/b.jpg", "media"),
        ("PUT", "/admin/media/a/b.jpg", "admin"),
        ("GET", "/admin/exact", "exact"),
        ("POST", "/admin/exact", "admin"),
    ],
)
def test_a_request_finds_its_function(method: str, path: str, handler: str) -> None:
    found = Router(ROUTES, Handler).find(method, path)

    assert isinstance(found, Target)
    assert isinstance(found.handler, Handler)
    assert found.handler.name == handler


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/sync/", ("GET", "HEAD", "POST")),
        ("OPTIONS", "/sync/", ("GET", "HEAD", "POST")),
        ("get", "/sync/", ("GET", "HEAD", "POST")),
        ("GET", "/sync", ()),
        ("GET", "/syncs", ()),
        ("GET", "/administration", ()),
        ("GET", "*", ()),
        ("GET", "", ()),
    ],
)
def test_a_request_without_a_route_learns_what_is_allowed(
    method: str, path: str, allowed: tuple[str, ...]
) -> None:
    assert Router(ROUTES, Handler).find(method, path) == allowed


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/sync/"), ("OPTIONS", "/sync/"), ("GET", "/none"), ("GET", "*"), ("HEAD", "/")],
)
def test_the_default_takes_what_no_route_takes(method: str, path: str) -> None:
    default = Route("ANY", "$default", "default", 10)
    found = Router((*ROUTES, default), Handler).find(method, path)

    assert isinstance(found, Target)
    assert isinstance(found.handler, Handler)
    assert found.handler.name == "default"


def test_the_default_comes_last_and_has_no_path_of_its_own() -> None:
    router = Router((Route("ANY", "$default", "default", 10), *ROUTES), Handler)
    names = [
        found.handler.name
        for method, path in [("HEAD", "/sync/"), ("PUT", "/admin/x"), ("GET", "$default")]
        if isinstance(found := router.find(method, path), Target)
        and isinstance(found.handler, Handler)
    ]
    assert names == ["stats", "admin", "default"]


def test_the_time_limit_is_the_functions_own() -> None:
    found = Router(ROUTES, Handler).find("GET", "/sync/")

    assert isinstance(found, Target)
    assert found.seconds == 20


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sync"),
        ("POST", "/sync/"),
        ("GET", "/sync"),
        ("GET", "/sync/"),
        ("HEAD", "/sync/"),
    ],
)
def test_the_slash_at_the_end_is_optional_by_the_template(method: str, path: str) -> None:
    found = Router(load().routes, Handler).find(method, path)

    assert isinstance(found, Target)
    assert isinstance(found.handler, Handler)
    assert found.handler.name.split(".")[1] == ("ingest" if method == "POST" else "stats")
