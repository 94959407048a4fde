"""The admin on Lambda: login, pages, and files within the response limit."""

from __future__ import annotations

import base64
import re

import pytest

from tests.aws.browser import Browser
from tests.aws.conftest import PASSWORD, Deployment
from tests.aws.exchange import http_event, sync


@pytest.fixture
def browser(migrated: Deployment) -> Browser:
    return Browser(migrated.sandbox("AdminFunction"))


def test_a_stranger_sees_the_login_page_only(browser: Browser) -> None:
    assert browser.get("/admin/", accept="text/html").status == 303
    assert browser.get("/admin/").status == 401
    assert browser.get("/media/secret.jpg").status == 401
    assert browser.submit("/admin/login/", user="root", password="admin").status == 403


def test_a_file_is_found_and_read_in_pieces(migrated: Deployment, browser: Browser) -> None:
    content = bytes(range(256)) * 4096 * 10  # 10 MiB, more than one answer may carry
    sync(migrated, "large.bin", content)
    assert browser.submit("/admin/login/", user="root", password=PASSWORD).status == 303
    assert b"large.bin" in browser.get("/admin/sync/filesync/").body
    found, start = b"", 0
    while start < len(content):
        piece = browser.get("/media/large.bin", range=f"bytes={start}-")
        assert piece.status == 206
        found += piece.body
        start = len(found)
    assert found == content


def test_a_binary_answer_goes_as_base64(migrated: Deployment) -> None:
    admin = migrated.sandbox("AdminFunction")
    page = admin.invoke(http_event("GET", "/admin/login/"))
    assert page["isBase64Encoded"] is False
    links = re.findall(r'href="(/admin/static/[^"]+)"', page["body"])
    assert links
    for link in links:
        path, _, query = link.partition("?")
        asset = admin.invoke(http_event("GET", path, query=query))
        assert asset["statusCode"] == 200
        if asset["isBase64Encoded"]:
            assert base64.b64decode(asset["body"], validate=True)
