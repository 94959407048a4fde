"""A browser in front of the admin's package."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

from local.http import function_url
from local.http.function_url import Reply
from tests.aws.exchange import http_event
from tests.aws.sandbox import Sandbox

LARGEST_ANSWER = 6 * 1024 * 1024
"""A function's answer at most (Lambda developer guide, "Lambda quotas")."""


class Browser:
    """Keeps its cookies from one request to a sandbox of the admin to the next."""

    def __init__(self, admin: Sandbox) -> None:
        self._admin = admin
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Reply:
        return self._send("GET", path, b"", headers)

    def csrf(self, path: str) -> str:
        """Return the token that a page's form carries."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).body.decode())
        assert found
        return found[1]

    def submit(self, path: str, **fields: str) -> Reply:
        body = urlencode({"csrf": self.csrf(path), **fields}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return self._send("POST", path, body, headers)

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        cookies = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        event = http_event(method, path, body, headers | ({"cookie": cookies} if cookies else {}))
        answer: Any = self._admin.invoke(event)
        assert len(json.dumps(answer)) < LARGEST_ANSWER
        for cookie in answer.get("cookies", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            assert "Secure" in cookie
        return function_url.reply(answer)
