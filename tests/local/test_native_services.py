from __future__ import annotations

import dataclasses
import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.environment import LocalEnvironment
from local.native_services import NativeServices, Ports
from local.servers.packages import missing_packages
from local.servers.ports import require_free
from local.servers.sample_pictures import pictures
from shared.http.signing import sign
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port
from tests.helpers.waiting import until

KEY = "a key of the tests"
CREATED = 201


@pytest.fixture
def ports() -> Ports:
    return Ports(**{field.name: free_port() for field in dataclasses.fields(Ports)})


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY": KEY,
        "RATE_LIMIT_GET": "off",
        "SCHEDULE_SECONDS": "0.5",
        "WORKERS": "1",
    }


@pytest.fixture
def services(ports: Ports, given: dict[str, str]) -> Iterator[NativeServices]:
    absent = missing_packages()
    if absent:
        missing(", ".join(absent))
    services = NativeServices(LocalEnvironment(ROOT, given), ports)
    yield services
    list(services.stop())


def logged(folder: Path, request_id: str) -> set[str]:
    """Return the names of the logs in which a request's id is found."""
    return {path.stem for path in folder.glob("*.log") if request_id in path.read_text()}


def ask(
    port: int, body: bytes | None = None, request_id: str = ""
) -> tuple[int, dict[str, int | str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        headers = {"Authorization": sign(KEY.encode(), body)} if body else {}
        headers |= {"X-Request-Id": request_id} if request_id else {}
        connection.request("POST" if body else "GET", "/sync/", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_signed_request_becomes_a_file_and_everything_survives_a_restart(
    services: NativeServices, ports: Ports, tmp_path: Path
) -> None:
    picture = next(pictures())
    body = json.dumps(
        {"oeid": "1", "ref_id": "2", "file_name": picture.name, "file_type": picture.media_type}
    ).encode()

    assert "sample pictures uploaded: 36" in list(services.start())
    first = list(services.status())
    assert not [line for line in first if "not running" in line]
    assert ask(ports.nginx, body, "order-17")[0] == CREATED
    until(lambda: ask(ports.nginx)[1]["synced_objects_count"] == 1)
    # One id leads from the access log to the worker that copied the object.
    logs = tmp_path / "services"
    until(lambda: logged(logs, "order-17") in ({"nginx", "trigger-1"}, {"nginx", "trigger-2"}))
    assert (tmp_path / "storage" / picture.name).read_bytes() == picture.content

    assert "sample pictures uploaded: 0" in list(services.start())
    assert list(services.status()) == first

    queues = services.rabbitmqctl("--quiet", "list_queues", "name", "type", "durable", "messages")
    # The message is acknowledged after its file is in place.
    empty = ["sync", "quorum", "true", "0"]
    until(lambda: empty in [line.split() for line in queues.run().stdout.splitlines()])

    assert len(list(services.stop())) == len(first)
    assert all("not running" in line for line in services.status())
    for port in dataclasses.astuple(ports):
        require_free(port, "this test")

    list(services.start())
    assert ask(ports.nginx)[1] == {"synced_objects_count": 1, "queued_objects_count": 0}
    assert ask(ports.nginx, body)[0] == 409


def test_with_fewer_triggers_than_before_the_others_are_stopped(
    services: NativeServices, ports: Ports, given: dict[str, str]
) -> None:
    def triggers(of: NativeServices) -> list[str]:
        return [line for line in of.status() if line.startswith("trigger") and "not" not in line]

    list(services.start())
    two = triggers(services)
    assert len(two) == 2
    fewer = NativeServices(LocalEnvironment(ROOT, given | {"TRIGGERS": "1"}), ports)
    list(fewer.start())
    assert triggers(services) == two[:1]
