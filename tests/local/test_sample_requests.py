"""`make sample` against services that do not do what they should."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from local.client import Client, GivenUp
from local.sample_requests import FileNotWritten, NotSynced, send, write_requests
from local.servers.postgres import PostgresServer, embedded_binaries
from local.servers.server import Server
from tests.helpers.servers import free_port
from tests.helpers.service import KEY, Service


class Accepting(ThreadingHTTPServer):
    """Accepts every request, and tells of each what a test says of their number.

    The first ones are synced, and the last ones failed.
    """

    def __init__(self, counts: Callable[[int], tuple[int, int, int]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.accepted = 0
        self.status = 201
        self.counts = counts

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Accepting

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.accepted += 1
        self.send_json(self.server.status, {"detail": "Object queued for sync"})

    def do_GET(self) -> None:
        status, synced, failed = self.server.counts(self.server.accepted)
        number = int(self.path.split("/")[2])
        state = "synced" if number <= synced else "queued"
        if number > self.server.accepted - failed:
            state = "failed"
        reason = "The bucket is on fire" if state == "failed" else None
        self.send_json(status, {"state": state, "reason": reason})

    def send_json(self, status: int, document: dict[str, object]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Location", f"/sync/{self.server.accepted}/")
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def accepting() -> Iterator[Callable[[Callable[[int], tuple[int, int, int]]], Accepting]]:
    servers: list[tuple[Accepting, threading.Thread]] = []

    def start(counts: Callable[[int], tuple[int, int, int]]) -> Accepting:
        server = Accepting(counts)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


Start = Callable[[Callable[[int], tuple[int, int, int]]], Accepting]


def sample(client: Client, folder: Path) -> None:
    send(client, folder, Console(file=io.StringIO()), files_seconds=3.0)


def test_files_that_are_not_written_in_time_are_given_up(accepting: Start, tmp_path: Path) -> None:
    server = accepting(lambda accepted: (200, min(accepted, 2), 0))
    with pytest.raises(NotSynced, match="2 of 36 synced, 0 failed after 3 s"):
        sample(Client(server.url, b"key"), tmp_path)


def test_failed_copies_are_not_waited_for(accepting: Start, tmp_path: Path) -> None:
    server = accepting(lambda accepted: (200, accepted // 2, accepted - accepted // 2))
    with pytest.raises(NotSynced, match=r"18 of 36 synced, 18 failed: The bucket is on fire$"):
        sample(Client(server.url, b"key"), tmp_path)


def test_a_request_that_was_known_is_looked_at_too(accepting: Start, tmp_path: Path) -> None:
    server = accepting(lambda accepted: (200, accepted - 1, 1))
    server.status = 409
    with pytest.raises(NotSynced, match=r"35 of 36 synced, 1 failed: The bucket is on fire$"):
        sample(Client(server.url, b"key"), tmp_path)


def test_a_service_that_fails_after_the_requests_is_given_up(
    accepting: Start, tmp_path: Path
) -> None:
    server = accepting(lambda accepted: (503 if accepted else 200, 0, 0))
    with pytest.raises(NotSynced, match=r"accepted, but .* 503 .* given up after 2 s"):
        sample(Client(server.url, b"key", retry_seconds=2), tmp_path)


def test_a_refused_request_is_shown(accepting: Start, tmp_path: Path) -> None:
    server = accepting(lambda _: (200, 0, 0))
    server.RequestHandlerClass = type("Refusal", (Handler,), {"do_POST": _refuse})
    with pytest.raises(NotSynced, match="401 Invalid HMAC signature hash"):
        sample(Client(server.url, b"key"), tmp_path)


def _refuse(handler: Handler) -> None:
    handler.rfile.read(int(handler.headers["Content-Length"]))
    handler.send_json(401, {"detail": "Invalid HMAC signature hash"})


def test_with_postgresql_down_the_real_service_is_given_up(
    tmp_path: Path, start_server: Callable[[Server], Server]
) -> None:
    server = PostgresServer(tmp_path / "ledger", free_port(), embedded_binaries())
    start_server(server)
    variables = {"DATABASE_URL": server.url, "S3_PORT": str(free_port())}
    service = Service(tmp_path, free_port(), variables)
    service.start()
    try:
        shown: list[str] = []
        client = Client(
            f"http://127.0.0.1:{service.port}",
            KEY.encode(),
            retry_seconds=12,
            show=shown.append,
        )
        sample(client, service.storage)
        server.stop()
        with pytest.raises(GivenUp, match="503 Service unavailable; given up after 12 s"):
            sample(client, service.storage)
        assert shown == ["503 Service unavailable: repeated for up to 12 s"]
    finally:
        assert service.stop() == 0, service.log


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotWritten, match="No such file or directory"):
        write_requests("http://localhost:1", b"key", tmp_path / "nowhere" / "requests.txt")
