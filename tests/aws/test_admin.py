"""The admin on Lambda: login, pages, and files within the response limit."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from local import function_url
from tests.aws.conftest import PASSWORD
from tests.aws.exchange import batch, http_event, post

if TYPE_CHECKING:
    from local.function_url import Reply
    from tests.aws.conftest import Deployment
    from tests.aws.sandbox import Sandbox

#: A function's answer at most (Lambda developer guide, "Lambda quotas").
LARGEST_ANSWER = 6 * 1024 * 1024


class Browser:
    def __init__(self, admin: Sandbox) -> None:
        self._admin = admin
        self._cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Reply:
        return self._send("GET", path, b"", headers)

    def submit(self, path: str, **fields: str) -> Reply:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).body.decode())
        assert found
        body = urlencode({"csrf": found[1], **fields}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return self._send("POST", path, body, headers)

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        cookies = "; ".join(f"{k}={v}" for k, v in self._cookies.items())
        event = http_event(method, path, body, headers | ({"cookie": cookies} if cookies else {}))
        answer: Any = self._admin.invoke(event)
        assert len(json.dumps(answer)) < LARGEST_ANSWER
        for cookie in answer.get("cookies", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
            assert "Secure" in cookie
        return function_url.reply(answer)


@pytest.fixture
def browser(migrated: Deployment) -> Browser:
    return Browser(migrated.sandbox("AdminFunction"))


def sync(migrated: Deployment, name: str, content: bytes) -> None:
    migrated.put(name, content)
    post(migrated.sandbox("IngestFunction"), name)
    worker = migrated.sandbox("SyncWorkerFunction")
    assert worker.invoke(batch(migrated.rabbitmq_url), seconds=60)["synced"] == 1


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
