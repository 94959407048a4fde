"""One suite over the embedded runtime and over real servers: whatever works here works there."""

from __future__ import annotations

import hashlib
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.servers.sample_pictures import Picture, pictures
from shared.http.signing import sign
from tests.helpers.hashes import cheap_hash
from tests.helpers.servers import free_port
from tests.helpers.service import KEY, Service, payload
from tests.helpers.waiting import until

CREATED = {"detail": "Object queued for sync"}


def test_a_signed_request_becomes_the_very_file(service: Service) -> None:
    wanted = list(pictures())[:12]
    for picture in wanted:
        body = payload(picture.name, picture.media_type)
        answer = service.post(body)
        assert (answer.status, answer.document) == (201, CREATED)
        assert answer.headers["location"] == f"/sync/{sign(KEY.encode(), body)}/"
    service.wait_synced(len(wanted))
    assert service.files() == {picture.name: picture.content for picture in wanted}
    assert service.get("/sync/").document == {
        "synced_objects_count": len(wanted),
        "queued_objects_count": 0,
    }
    detail = service.get("/sync/?detail=1").document
    assert detail["bytes_stored"] == sum(len(picture.content) for picture in wanted)
    assert detail["failed_objects_count"] == 0
    assert detail["oldest_queued_seconds"] is None
    assert_followed(service, wanted[-1], body)


def assert_followed(service: Service, picture: Picture, body: bytes) -> None:
    """Look at what became of a synced request, as a poller does."""
    address = f"/sync/{sign(KEY.encode(), body)}/"
    answer = service.get(address)
    assert answer.document["state"] == "synced"
    assert answer.document["size_bytes"] == len(picture.content)
    assert answer.document["sha256"] == hashlib.sha256(picture.content).hexdigest()
    assert answer.document["request_id"]
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "retry-after" not in answer.headers
    etag = answer.headers["etag"]
    unchanged = service.request("GET", address, If_None_Match=f'"x", W/{etag}')
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert unchanged.headers["etag"] == etag
    head = service.request("HEAD", address.removesuffix("/"))
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", etag)
    again = service.post(body)
    assert (again.status, again.headers["location"]) == (409, address)


def test_of_fifty_identical_requests_at_once_one_is_accepted(service: Service) -> None:
    body = payload(next(pictures()).name)
    barrier = threading.Barrier(50, timeout=30)

    def send(_: int) -> int:
        barrier.wait()
        return service.post(body).status

    with ThreadPoolExecutor(50) as pool:
        statuses = sorted(pool.map(send, range(50)))
    assert statuses == [201] + [409] * 49
    service.wait_synced(1)
    assert service.counts() == (1, 0)


def test_refused_requests_leave_nothing_behind(service: Service) -> None:
    good = payload("dot.png")
    signature = sign(KEY.encode(), good)
    refusals = [
        (service.post(b"x" * 70_000), 413),
        (service.request("POST", "/sync/", good), 401),
        (service.post(good, ""), 401),
        (service.post(good, "not hex"), 401),
        (service.post(good, signature.upper()), 401),
        (service.post(good, signature[:-1]), 401),
        (service.post(good, sign(b"another key", good)), 401),
        (service.post(b""), 400),
        (service.post(b"{"), 400),
        (service.post(b"[]"), 400),
        (service.post(b'{"oeid": 1}'), 400),
        (service.post(b"\xff"), 400),
        (service.post(b"[" * 60_000), 400),
        (service.post(payload("../outside")), 400),
        (service.post(payload("/absolute")), 400),
        (service.post(payload(".incoming/part")), 400),
        (service.get("/nowhere"), 404),
        (service.request("PUT", "/sync/", good), 405),
    ]
    for answer, status in refusals:
        assert answer.status == status, answer
        assert "detail" in answer.document
        assert ("reason" in answer.document) is (status in (400, 401, 413))
        assert b"Traceback" not in answer.body
    assert service.counts() == (0, 0)
    assert service.files() == {}


def test_a_body_in_chunks_is_a_body(service: Service) -> None:
    body = payload("dot.png", "image/png")
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[:half], body[half:], b""))
    head = (
        "POST /sync/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: {sign(KEY.encode(), body)}\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head.encode() + chunks)
        with connection.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"201"
    service.wait_synced(1)


def test_a_missing_object_is_queued_and_counted_as_not_synced(service: Service) -> None:
    accepted = service.post(payload("never-uploaded.jpg"))
    assert accepted.status == 201
    assert service.post(payload("dot.png", "image/png")).status == 201
    service.wait_synced(1)
    assert service.counts() == (1, 1)
    address = accepted.headers["location"]
    until(lambda: service.get(address).document["reason"] is not None, seconds=60)
    found = service.get(address).document
    assert found["state"] in ("retrying", "failed")
    assert found["attempts"] >= 1
    nowhere = service.get("/nowhere")
    for path in (f"/sync/{'0' * 64}/", address.upper(), address + "x", f"/sync{address}"):
        answer = service.get(path)
        assert (answer.status, answer.body) == (404, b'{"detail": "Not found"}')
        assert answer.headers.keys() == nowhere.headers.keys()


def test_everything_is_still_there_after_a_restart(service: Service) -> None:
    body = payload("dot.png", "image/png")
    assert service.post(body).status == 201
    service.wait_synced(1)
    before = service.files()
    assert service.stop(signal.SIGINT) == 0
    service.start()
    assert service.counts() == (1, 0)
    assert service.post(body).status == 409
    assert service.files() == before


def test_what_was_accepted_before_a_kill_is_delivered_after_it(service: Service) -> None:
    wanted = list(pictures())
    for picture in wanted:
        assert service.post(payload(picture.name, picture.media_type)).status == 201
    assert service.stop(signal.SIGKILL) == -signal.SIGKILL
    until(lambda: not service.listening(), seconds=30)
    service.start()
    service.wait_synced(len(wanted), 120)
    assert service.files() == {picture.name: picture.content for picture in wanted}


def test_the_first_page_leads_to_the_health_of_the_servers(service: Service) -> None:
    page = service.get("/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'href="/status.html"' in page.body
    # A server that is slow for a moment, as after the start on a busy machine, is shown as down.
    until(lambda: service.get("/status.html").status == 200)


@pytest.mark.parametrize("variables", ["embedded"], indirect=True)
def test_a_port_in_use_is_said_in_one_line(service: Service) -> None:
    status, said = service.run_once()
    assert status == 1
    assert said.count("\n") == 1
    assert str(service.port) in said


@pytest.mark.parametrize("variables", ["embedded"], indirect=True)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ADMIN_PASSWORD_HASH", "admin"),
        ("AWS_S3_BUCKET_NAME", "my bucket"),
        ("DATA_DIR", "/dev/null/data"),
        ("HOST", "my-machine"),
        ("MAX_ATTEMPTS", "many"),
        ("RATE_LIMIT_POST", "50 a minute"),
        ("S3_PORT", "s3"),
        ("SCHEDULE_SECONDS", "often"),
        ("SECRET_KEY_PREVIOUS_ARN", "mine"),
        ("SOURCE", "ftp"),
        ("STORAGE_PATH", "/dev/null/storage"),
        ("THREADS", "0"),
        ("TRIGGERS", "none"),
        ("TRUSTED_PROXIES", "nginx"),
        ("WORKERS", "many"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(
    tmp_path: Path, variables: dict[str, str], name: str, value: str
) -> None:
    service = Service(tmp_path, free_port(), {**variables, name: value})
    status, said = service.run_once()
    assert status == 1
    assert said.count("\n") == 1
    assert said.startswith(f"Invalid setting: {name}: ")


@pytest.mark.parametrize("variables", ["embedded"], indirect=True)
def test_no_default_password_where_others_can_reach_it(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    service = Service(tmp_path, free_port(), {**variables, "HOST": "0.0.0.0"})
    status, said = service.run_once()
    assert status == 1
    assert said.count("\n") == 1
    assert "ADMIN_PASSWORD_HASH" in said


@pytest.mark.parametrize("variables", ["embedded"], indirect=True)
@pytest.mark.parametrize(
    ("name", "url", "server"),
    [
        ("DATABASE_URL", "postgresql://sync:secret@127.0.0.1:{}/sync", "PostgreSQL"),
        ("RABBITMQ_URL", "amqp://sync:secret@127.0.0.1:{}/", "RabbitMQ"),
    ],
)
def test_an_unreachable_server_is_reported_in_one_line(
    tmp_path: Path, variables: dict[str, str], name: str, url: str, server: str
) -> None:
    service = Service(tmp_path, free_port(), {**variables, name: url.format(free_port())})
    status, said = service.run_once()
    assert status == 1
    assert said.count("\n") == 1
    assert said.startswith(f"{server} is unreachable")


@pytest.mark.parametrize("variables", ["embedded"], indirect=True)
def test_what_it_says_at_the_start_is_as_it_was_set_up(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    folder = tmp_path / "a [folder] of mine"
    folder.mkdir()
    own = {**variables, "ADMIN_USER": "me", "ADMIN_PASSWORD_HASH": cheap_hash("mine")}
    service = Service(folder, free_port(), own)
    service.start()
    until(lambda: "Try " in service.log)
    assert service.stop() == 0, service.log
    lines = [line for line in service.log.splitlines() if not line.startswith("{")]
    shown = dict(line.split(maxsplit=1) for line in lines[:3])
    assert shown["URL"] == f"http://localhost:{service.port}/sync/"
    assert shown["Admin"] == f"http://localhost:{service.port}/admin/  (user me)"
    assert shown["Files"] == str(service.storage)
