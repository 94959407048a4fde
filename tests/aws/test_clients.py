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

import pytest

from local.servers.packages import missing_packages
from shared.http.signing import verify
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text()
KEY = "a key with é"
DOCUMENT = {"oeid": "1", "ref_id": "2", "file_name": "фото é.jpg", "file_type": "image/jpeg"}
CALLS = {
    "python": "import sys; sync(sys.argv[1], {key}, {document}, 5)",
    "javascript": "await sync(process.argv[2], {key}, {document}, 5);",
    "php": "sync($argv[1], {key}, json_decode({text}, true), 5);",
}
COMMANDS = {
    "python": ([sys.executable], "client.py"),
    "javascript": (["node"], "client.mjs"),
    "php": (["php"], "client.php"),
}
PACKAGES = {"python": set[str](), "javascript": {"nodejs"}, "php": {"php-cli", "php-curl"}}


class Service(ThreadingHTTPServer):
    """Answers with the statuses it is told, one after another, and keeps the bodies."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []


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
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status in (412, 429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()

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


def run(client: list[str], service: Service, statuses: list[int]) -> int:
    service.statuses = statuses
    url = f"http://127.0.0.1:{service.server_address[1]}"
    ended = subprocess.run([*client, url], timeout=60, capture_output=True, check=False)
    return ended.returncode


def test_a_client_repeats_the_same_bytes_until_accepted(
    client: list[str], service: Service
) -> None:
    assert run(client, service, [503, 412, 429, 201]) == 0
    assert len(service.bodies) == 4
    assert len(set(service.bodies)) == 1
    assert json.loads(service.bodies[0]) == DOCUMENT


def test_a_client_takes_a_conflict_for_success(client: list[str], service: Service) -> None:
    assert run(client, service, [409]) == 0
    assert len(service.bodies) == 1


@pytest.mark.parametrize("status", [400, 401, 413])
def test_a_client_does_not_repeat_what_is_refused(
    client: list[str], service: Service, status: int
) -> None:
    assert run(client, service, [status]) != 0
    assert len(service.bodies) == 1


def test_a_client_gives_up_in_the_end(client: list[str], service: Service) -> None:
    assert run(client, service, [503] * 5) != 0
    assert len(service.bodies) == 5
