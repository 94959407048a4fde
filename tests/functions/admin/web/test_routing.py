from __future__ import annotations

import pytest

from functions.admin.addresses import Address
from functions.admin.errors import MethodNotAllowed, NotFound
from functions.admin.web.access_control import Access
from functions.admin.web.routing import Route, find
from shared.http.event import Response


def page(*_: object, **__: object) -> Response:
    return Response(200)


def other(*_: object, **__: object) -> Response:
    return Response(201)


LIST = Route(Address("/list/"), Access.USER, get=page, post=other)
ITEM = Route(Address("/list/{item}/"), Access.USER, get=page)
OUT = Route(Address("/out/"), Access.PUBLIC, post=other)


def test_a_path_has_the_first_route_that_matches() -> None:
    everything = Route(Address("/{rest:path}"), Access.USER, get=page)
    assert find([LIST, ITEM, everything], "/list/7/") == (ITEM, {"item": "7"})
    assert find([LIST, everything, ITEM], "/list/7/") == (everything, {"rest": "list/7/"})
    with pytest.raises(NotFound):
        find([LIST, ITEM], "/none/")


@pytest.mark.parametrize(
    ("route", "methods"),
    [(LIST, ("GET", "HEAD", "POST")), (ITEM, ("GET", "HEAD")), (OUT, ("POST",))],
    ids=["both", "get", "post"],
)
def test_a_route_answers_its_own_methods_alone(route: Route, methods: tuple[str, ...]) -> None:
    assert route.methods == methods
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        if method in methods:
            assert route.page(method) is (other if method == "POST" else page)
        else:
            with pytest.raises(MethodNotAllowed) as refused:
                route.page(method)
            assert refused.value.allowed == methods
