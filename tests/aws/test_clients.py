"""The clients of docs/deploy.md, taken from the page and run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.servers.packages import missing_packages
from shared.http.signing import sign, verify
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text()
KEY = "a key with é"
DOCUMENT = {"oeid": "1", "ref_id": "2", "file_name": "фото é.jpg", "file_type": "image/jpeg"}
CALLS = {
    "python": "import sys; print(outcome(sync(sys.argv[1], {key}, {document}, 5)))",
    "javascript": "console.log(await outcome(await sync(process.argv[2], {key}, {document}, 5)));",
    "php": "echo outcome(sync($argv[1], {key}, json_decode({text}, true), 5));",
}
COMMANDS = {
    "python": ([sys.executable], "client.py"),
    "javascript": (["node"], "client.mjs"),
    "php": (["php"], "client.php"),
}
PACKAGES = {"python": set[str](), "javascript": {"nodejs"}, "php": {"php-cli", "php-curl"}}


class Service(ThreadingHTTPServer):
    """Answers with the statuses and states it is told, one after another, and keeps the bodies.

    A state that is a number is the status of a look-up without one.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []
        self.states: list[str | int] = []
        self.looked_up: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        verify([KEY.encode()], body, self.headers["Authorization"])
        self.server.bodies.append(body)
        status = self.server.statuses[len(self.server.bodies) - 1]
        if status == 0:
            self.connection.close()
            return
        if status in (201, 409):
            location = f"/sync/{self.headers['Authorization']}/"
            self.send(status, {"detail": "recorded"}, location=location)
        else:
            self.send(status, {"detail": "no"}, again=status in (412, 429, 503))

    def do_GET(self) -> None:
        self.server.looked_up.append(self.path)
        state = self.server.states[len(self.server.looked_up) - 1]
        if isinstance(state, int):
            self.send(state, {"detail": "no"}, again=True)
        else:
            document = {"state": state, "reason": "the reason" if state == "failed" else None}
            self.send(200, document, again=state in ("queued", "retrying"))

    def send(
        self, status: int, document: dict[str, Any], location: str = "", *, again: bool = False
    ) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        if again:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=list(CALLS))
def client(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    language = request.param
    command, name = COMMANDS[language]
    absent = PACKAGES[language] & set(missing_packages(tools=True))
    if absent:
        missing(", ".join(sorted(absent)))
    [source] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    document = json.dumps(DOCUMENT, ensure_ascii=False)
    values = {"key": json.dumps(KEY, ensure_ascii=False), "document": document}
    call = CALLS[language].format(**values, text=f"'{document}'")
    path = tmp_path / name
    path.write_text(f"{source}\n{call}\n")
    return [*command, str(path)]


def run(
    client: list[str], service: Service, statuses: list[int], *states: str | int
) -> subprocess.CompletedProcess[bytes]:
    service.statuses, service.states = statuses, list(states)
    url = f"http://127.0.0.1:{service.server_address[1]}"
    return subprocess.run([*client, url], timeout=60, capture_output=True, check=False)


def test_a_client_repeats_the_same_bytes_until_accepted(
    client: list[str], service: Service
) -> None:
    assert run(client, service, [503, 412, 429, 201], "synced").returncode == 0
    assert len(service.bodies) == 4
    assert len(set(service.bodies)) == 1
    assert json.loads(service.bodies[0]) == DOCUMENT


def test_a_client_waits_for_the_file(client: list[str], service: Service) -> None:
    ended = run(client, service, [201], "queued", 503, "retrying", "synced")
    assert (ended.returncode, ended.stdout.strip()) == (0, b"synced")
    signature = sign(KEY.encode(), service.bodies[0])
    assert service.looked_up == [f"/sync/{signature}/"] * 4


def test_a_client_looks_at_what_became_of_an_earlier_request(
    client: list[str], service: Service
) -> None:
    ended = run(client, service, [409], "synced", "synced")
    assert (ended.returncode, ended.stdout.strip()) == (0, b"synced")
    assert len(service.bodies) == 1


@pytest.mark.parametrize("state", ["failed", "dismissed", 404])
def test_a_conflict_does_not_hide_a_failure(
    client: list[str], service: Service, state: str | int
) -> None:
    ended = run(client, service, [409], state)
    assert ended.returncode != 0
    assert len(service.looked_up) == 1
    if state == "failed":
        assert b"the reason" in ended.stdout + ended.stderr


def test_a_failure_after_the_request_is_told(client: list[str], service: Service) -> None:
    assert run(client, service, [201], "retrying", "failed").returncode != 0
    assert len(service.looked_up) == 2


@pytest.mark.parametrize("status", [400, 401, 413])
def test_a_client_does_not_repeat_what_is_refused(
    client: list[str], service: Service, status: int
) -> None:
    assert run(client, service, [status]).returncode != 0
    assert len(service.bodies) == 1


def test_a_client_gives_up_in_the_end(client: list[str], service: Service) -> None:
    assert run(client, service, [503] * 5).returncode != 0
    assert len(service.bodies) == 5
