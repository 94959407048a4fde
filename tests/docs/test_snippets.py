"""The README's snippets sign correctly, look at what became of a known request, stop otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from local.servers.packages import missing_packages
from shared.http.signing import sign, verify
from tests.docs.pages import blocks
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT
from tests.helpers.project import environment

KEY = "a key with é"
PACKAGES = {"javascript": {"nodejs"}, "php": {"php-cli", "php-curl"}}


@dataclass
class Seen:
    """What was sent, and what to answer.

    Attributes:
        status: of every answer to a POST.
        state: of what is looked up, None for one that is not found.
        looked_up: the paths that were looked up.
        bodies: those that were signed correctly.
    """

    status: int = 201
    state: str | None = "queued"
    looked_up: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def url(seen: Seen) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                verify([KEY.encode()], body, self.headers["Authorization"])
                seen.bodies.append(body)
            finally:
                self.send_response(seen.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def do_GET(self) -> None:
            seen.looked_up.append(self.path)
            document = {"state": seen.state, "reason": "the reason"} if seen.state else {}
            content = json.dumps(document).encode()
            self.send_response(200 if seen.state else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/sync/"
        server.shutdown()
        thread.join()


def snippet(language: str, folder: Path, url: str) -> list[str]:
    """Write a snippet as a program that defines key and address, and return its command."""
    absent = PACKAGES.get(language, set()) & set(missing_packages(tools=True))
    if absent:
        missing(", ".join(sorted(absent)))
    sources = [block for block in blocks(ROOT / "README.md", language) if "ature" in block]
    (source,) = [block for block in sources if "a.jpg" in block]
    key, place = json.dumps(KEY, ensure_ascii=False), json.dumps(url)
    if language == "bash":
        return ["bash", "-c", source]
    command, name, before = {
        "python": (sys.executable, "client.py", f"SECRET_KEY, URL = {key}, {place}\n"),
        "javascript": (
            "node",
            "client.mjs",
            f"const SECRET_KEY = {key}, URL = {place};\n",
        ),
        "php": ("php", "client.php", f"<?php\n$secretKey = {key}; $url = {place};\n"),
    }[language]
    (folder / name).write_text(before + source)
    return [command, str(folder / name)]


LANGUAGES = ["python", "javascript", "php", "bash"]


def run(language: str, folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        snippet(language, folder, url),
        env=environment(SECRET_KEY=KEY, URL=url),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("status", "accepted"),
    [(201, True), (409, True), (400, False), (401, False), (412, False), (503, False)],
)
def test_a_snippet_checks_the_status(
    language: str, status: int, tmp_path: Path, *, accepted: bool, url: str, seen: Seen
) -> None:
    seen.status = status
    done = run(language, tmp_path, url)
    assert (done.returncode == 0) is accepted, done.stdout + done.stderr
    (body,) = seen.bodies
    assert json.loads(body) == {
        "oeid": "…",
        "ref_id": "…",
        "file_name": "a.jpg",
        "file_type": "image/jpeg",
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("state", "accepted"),
    [("synced", True), ("failed", False), ("dismissed", False), (None, False)],
)
def test_a_snippet_looks_at_what_became_of_a_request_that_was_known(
    language: str, state: str | None, tmp_path: Path, *, accepted: bool, url: str, seen: Seen
) -> None:
    seen.status, seen.state = 409, state
    done = run(language, tmp_path, url)
    assert (done.returncode == 0) is accepted, done.stdout + done.stderr
    assert seen.looked_up == [f"/sync/{sign(KEY.encode(), seen.bodies[0])}/"]
    if state == "failed":
        assert "the reason" in done.stdout + done.stderr
