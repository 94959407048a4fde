from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from functions.admin.dashboard.source_probe import reaches, source_server
from functions.admin.errors import NoAnswer
from shared.config.settings import Settings


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SOURCE": "nasa", "NASA_API_URL": "http://n/p"}, ("NASA", "http://n/p")),
        ({"AWS_ENDPOINT_URL_S3": "http://s3:9"}, ("S3", "http://s3:9")),
        ({"AWS_S3_BUCKET_NAME": "bucket", "LOCALSTACK_HOST": "ls"}, ("S3", "http://ls:4566")),
        ({"AWS_S3_BUCKET_NAME": "bucket", "LOCALSTACK_HOST": "ls:1"}, ("S3", "http://ls:1")),
        (
            {"AWS_S3_BUCKET_NAME": "bucket", "AWS_S3_REGION_NAME": "eu-west-1"},
            ("S3", "https://s3.eu-west-1.amazonaws.com"),
        ),
        (
            {"AWS_S3_BUCKET_NAME": "bucket", "AWS_S3_REGION_NAME": "cn-north-1"},
            ("S3", "https://s3.cn-north-1.amazonaws.com.cn"),
        ),
        ({"AWS_S3_BUCKET_NAME": "bucket"}, ("S3", "https://s3.amazonaws.com")),
        ({}, None),
    ],
)
def test_the_settings_tell_where_objects_come_from(
    variables: dict[str, str], expected: tuple[str, str] | None
) -> None:
    assert source_server(Settings.from_mapping(variables)) == expected


class Answering(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(int(self.path.strip("/")))
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
def test_a_server_that_answers_is_within_reach(address: str, status: int) -> None:
    assert reaches(f"{address}/{status}")() == "Answers"


def test_a_server_that_is_broken_or_away_is_not(address: str) -> None:
    with pytest.raises(NoAnswer, match="503"):
        reaches(f"{address}/503")()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NoAnswer):
        reaches(f"http://127.0.0.1:{port}/")()
