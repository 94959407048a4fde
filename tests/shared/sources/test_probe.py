from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from shared import adapters
from shared.config.settings import Settings
from shared.errors import SourceUnavailable
from shared.sources.probe import probe

SECONDS = 30.0


asked: list[str] = []


class Answering(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        asked.append(self.path)
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [200, 307, 403, 404, 405])
def test_a_server_that_answers_is_healthy(address: str, status: int) -> None:
    probe(f"{address}/{status}", SECONDS)


def test_a_server_that_is_broken_or_away_is_not(address: str) -> None:
    with pytest.raises(SourceUnavailable, match="503"):
        probe(f"{address}/503", SECONDS)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(SourceUnavailable, match="read: connection refused"):
        probe(f"http://127.0.0.1:{port}/", SECONDS)


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(SourceUnavailable):
            probe(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.2)
        assert time.monotonic() - begun < SECONDS


@pytest.mark.parametrize("source", ["s3", "nasa"])
def test_each_source_is_asked_at_its_own_address(address: str, source: str) -> None:
    addresses = {"AWS_ENDPOINT_URL_S3": f"{address}/200/s3", "NASA_API_URL": f"{address}/200/nasa"}
    chosen = adapters.source_probe(Settings.from_mapping({"SOURCE": source, **addresses}), SECONDS)
    assert chosen is not None
    assert chosen.name == {"s3": "S3", "nasa": "NASA"}[source]
    chosen.ask()
    assert asked[-1] == f"/200/{source}"


def test_no_bucket_means_no_probe() -> None:
    assert adapters.source_probe(Settings.from_mapping({}), SECONDS) is None


def test_no_driver_is_needed() -> None:
    program = (
        "import sys\n"
        "for name in ('pycurl', 'boto3', 'botocore', 'requests'): sys.modules[name] = None\n"
        "from shared import adapters\n"
        "from shared.config.settings import Settings\n"
        "for source in ('s3', 'nasa'):\n"
        "    variables = {'SOURCE': source, 'AWS_S3_BUCKET_NAME': 'bucket'}\n"
        "    assert adapters.source_probe(Settings.from_mapping(variables), 1.0)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
