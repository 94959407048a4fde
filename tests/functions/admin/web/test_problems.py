from __future__ import annotations

from http import HTTPStatus

import pytest

from functions.admin.errors import (
    FormInvalid,
    LoginRequired,
    MethodNotAllowed,
    NotFound,
    SessionExpired,
)
from functions.admin.web.assets import Assets
from functions.admin.web.context import RequestContext
from functions.admin.web.problems import ProblemPages
from functions.admin.web.rendering import Templates
from functions.admin.web.sessions import Session
from shared.errors import (
    FileMissing,
    LedgerUnavailable,
    ServiceError,
    SettingError,
    TooManyRequests,
)
from shared.http.event import Request, Response

OUTAGE = Response(HTTPStatus.SERVICE_UNAVAILABLE, b"<h1>Outage</h1>")
PAGES = ProblemPages(Templates(Assets()), lambda _: OUTAGE)


def context(path: str = "/admin/", accept: str = "text/html", query: str = "") -> RequestContext:
    request = Request("GET", path, {}, {"accept": accept}, {}, b"", "", "r", query)
    return RequestContext(request, Session("", "s", 0), "csrf", secure=False, address="")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (NotFound(), 404, "<h1>Page not found</h1>"),
        (FileMissing(), 404, "<h1>File unavailable</h1>"),
        (SessionExpired(), 403, ">Your session has expired. Log in again<"),
        (FormInvalid("too large"), 403, "read: too large<"),
        (MethodNotAllowed(("GET", "HEAD")), 405, "<h1>Method not allowed</h1>"),
        (TooManyRequests(18), 412, ">Too many login attempts. Try again in 18 seconds<"),
        (TooManyRequests(1), 412, ">Too many login attempts. Try again in 1 second<"),
        (LedgerUnavailable(), 503, "<h1>Outage</h1>"),
    ],
)
def test_an_error_has_a_page(error: ServiceError, status: int, text: str) -> None:
    page = PAGES.page(context(), error)
    assert page.status == status
    assert text in page.body.decode()


def test_a_client_learns_what_to_do_instead() -> None:
    assert PAGES.page(context(), TooManyRequests(18)).headers["retry-after"] == "18"
    refused = PAGES.page(context(), MethodNotAllowed(("POST",)))
    assert refused.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "login"),
    [
        ("/admin/", "/admin/login/"),
        ("/admin/sync/filesync/", "/admin/login/?next=/admin/sync/filesync/"),
        ("/media/a ü?.jpg", "/admin/login/?next=/media/a%2520%25C3%25BC%253F.jpg"),
        (
            "/admin/sync/filesync/?q=a%20b&state=failed",
            "/admin/login/?next=/admin/sync/filesync/%3Fq%3Da%2520b%26state%3Dfailed",
        ),
        ("/admin/?period=7d", "/admin/login/?next=/admin/%3Fperiod%3D7d"),
        ("/admin/?q=" + "x" * 3000, "/admin/login/"),
        ("/admin/logout/", "/admin/login/"),
    ],
)
def test_a_login_comes_back_to_the_full_address(path: str, login: str) -> None:
    path, _, query = path.replace("?.jpg", "\0.jpg").partition("?")
    path = path.replace("\0", "?")
    page = PAGES.page(context(path, query=query), LoginRequired())
    assert (page.status, page.headers["location"]) == (303, login)
    image = PAGES.page(context(path, "image/*", query), LoginRequired())
    assert (image.status, image.body) == (401, b'{"detail": "Log in at /admin/"}')


def test_any_other_error_is_no_page() -> None:
    with pytest.raises(SettingError):
        PAGES.page(context(), SettingError("x"))
