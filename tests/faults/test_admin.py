"""Strangers at the admin's login, and images that would take all memory."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from PIL import Image

from tests.faults.harness.arena import Arena
from tests.faults.harness.servers import descendants
from tests.faults.harness.stack import Stack

PASSWORD = "the admin's own, of this test"
GUESSES = 25
ALLOWED = 10
"""RATE_LIMIT_LOGIN, a minute."""

IMAGES = 6
SIDE = 7_000
"""Pixels: decoded, an image takes 150 MB."""

PEAK_BYTES = 400 * 1024 * 1024
"""Of each process that answers requests; undisturbed it holds about 70 MB."""

ANSWER_SECONDS = 5.0


class Browser:
    """One visitor of the admin, with the cookie that it was given."""

    def __init__(self, stack: Stack) -> None:
        self._port = stack.port
        self._cookie = ""

    def get(self, path: str) -> tuple[int, bytes]:
        return self._request("GET", path)

    def log_in(self, password: str) -> int:
        """Fill in the form; return the status."""
        _, page = self.get("/admin/login/")
        token = re.search(rb'name="csrf" value="([^"]+)"', page)
        assert token is not None, page
        form = {"csrf": token[1].decode(), "user": "root", "password": password, "next": ""}
        status, _ = self._request("POST", "/admin/login/", urlencode(form))
        return status

    def _request(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        headers = {"Cookie": self._cookie} if self._cookie else {}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = f"http://127.0.0.1:{self._port}"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120.0)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            if given := answer.getheader("set-cookie"):
                self._cookie = given.partition(";")[0]
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def protected(arena: Arena) -> Iterator[Arena]:
    with arena.stack.served_with(ADMIN_PASSWORD=PASSWORD):
        yield arena


@pytest.mark.faults
def test_guesses_of_the_password_stay_limited_without_memcached(protected: Arena) -> None:
    stack = protected.stack
    with protected.trial("passwords guessed while memcached is frozen") as trial:
        go_on = stack.servers.memcached.freeze()
        try:
            browser = Browser(stack)
            began = time.time()
            statuses = [browser.log_in(f"guess {number}") for number in range(GUESSES)]
            minutes = int(time.time() // 60) - int(began // 60) + 1
        finally:
            go_on()
        trial.times = GUESSES
        assert set(statuses) == {403, 412}
        assert statuses.count(403) <= ALLOWED * minutes
        trial.send("plain", count=5)


def peaks(stack: Stack) -> list[int]:
    """Return the most memory that each process with the service's code has held, in bytes."""
    found = []
    for pid in descendants(stack.serve.pid or 0):
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"serve" in arguments:
            status = Path(f"/proc/{pid}/status").read_text()
            found.append(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024)  # type: ignore[index] # of every process
    return found


@pytest.mark.faults
def test_large_images_take_no_memory_from_requests(protected: Arena, tmp_path: Path) -> None:
    stack = protected.stack
    image = tmp_path / "image.png"
    Image.new("RGB", (SIDE, SIDE)).save(image, "PNG")
    with protected.trial("images that decode to 150 MB, at once") as trial:
        keys = [f"plain/1000/image-{number}" for number in range(IMAGES)]
        for key in keys:
            assert trial.client.send(trial.client.asked(key, file_type="image/png")) == 201
        trial.rest()
        right = {key: (stack.storage / key).read_bytes() for key in keys}
        for key in keys:
            (stack.storage / key).write_bytes(image.read_bytes())
        browser = Browser(stack)
        assert browser.log_in(PASSWORD) == 303
        rows = [row.row_id for row in stack.rows()]
        with ThreadPoolExecutor(IMAGES) as visitors:
            asked = [visitors.submit(browser.get, f"/admin/thumbnail/large/{row}") for row in rows]
            slowest = 0.0
            while not all(each.done() for each in asked):
                began = time.monotonic()
                trial.send("plain", size=300, name=f"beside-{began}")
                slowest = max(slowest, time.monotonic() - began)
        assert slowest < ANSWER_SECONDS
        statuses = [each.result()[0] for each in asked]
        assert 200 in statuses
        assert len(peaks(stack)) >= 2
        assert max(peaks(stack)) < PEAK_BYTES
        trial.times, trial.recovery = IMAGES, slowest
        for key, content in right.items():
            (stack.storage / key).write_bytes(content)
