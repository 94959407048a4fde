"""One recorded set of requests, three ways through the functions, the same bytes each time."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from local import function_url
from local.router import Router, Target
from local.template import load
from tests.aws.exchange import EVENTS
from tests.blackbox.service import KEY, ROOT
from tests.servers import execute, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.servers.memcached import MemcachedServer
    from tests.aws.conftest import Deployment

REQUESTS: list[dict[str, Any]] = json.loads((EVENTS / "requests.json").read_text())
#: Belong to the connection, not to the answer.
OF_THE_SERVER = {"connection", "content-length", "date", "server", "transfer-encoding"}
#: Counts on both ways are those of the requests before, never of time or of limits.
OFF = {"RATE_LIMIT_POST": "off", "RATE_LIMIT_UNSIGNED": "off", "RATE_LIMIT_GET": "off"}


class Answered(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def body_of(request: dict[str, Any]) -> bytes:
    return str(request["body"]).encode() * int(request.get("repeat", 1))


def event_of(request: dict[str, Any]) -> dict[str, Any]:
    return function_url.event(
        method=request["method"],
        path=request["path"],
        query=request["query"],
        protocol="HTTP/1.1",
        headers=list(request["headers"].items()),
        body=body_of(request),
        peer="127.0.0.1",
        request_id=str(uuid.uuid4()),
        now=1_795_428_000.0,
    )


def answered(status: int, headers: list[tuple[str, str]], body: bytes) -> Answered:
    kept = [(n.lower(), v) for n, v in headers if n.lower() not in OF_THE_SERVER]
    return Answered(status, sorted(kept), body)


def handler_of(request: dict[str, Any]) -> str:
    names: dict[int, str] = {}

    def named(name: str) -> Callable[[dict[str, Any], Any], object]:
        def called(*_: object) -> None:
            pass

        names[id(called)] = name
        keep.append(called)
        return called

    keep: list[object] = []
    found = Router(load().routes, named).find(request["method"], request["path"])
    assert isinstance(found, Target), request
    return names[id(found.handler)]


@pytest.fixture
def environment(migrated: Deployment, memcached_server: MemcachedServer) -> dict[str, str]:
    """What a local process is told, the same servers as the sandboxes use."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(migrated.folder),
        "SECRET_KEY": KEY,
        "DATABASE_URL": migrated.database_url,
        "RABBITMQ_URL": migrated.rabbitmq_url,
        "MEMCACHED_URL": memcached_server.address,
        "STORAGE_PATH": str(migrated.storage),
        "LOCAL_RUN": "1",
        **OFF,
    }


@contextlib.contextmanager
def process(
    arguments: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[str]]:
    with log.open("wb") as errors:
        started = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with started:
        try:
            yield started
        finally:
            started.terminate()
            started.wait(30)


def through_the_shim(environment: dict[str, str], folder: Path) -> list[Answered]:
    port = free_port()
    environment = environment | {"PORT": str(port), "DATA_DIR": str(folder / "data")}
    with process(["local", "serve"], environment, folder / "shim.log") as shim:
        deadline = time.monotonic() + 60
        while True:
            try:
                return [over_http(port, request) for request in REQUESTS]
            except ConnectionRefusedError:
                assert shim.poll() is None, (folder / "shim.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)


def over_http(port: int, request: dict[str, Any]) -> Answered:
    target = request["path"] + (f"?{request['query']}" if request["query"] else "")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request(request["method"], target, body_of(request), request["headers"])
        answer = connection.getresponse()
        return answered(answer.status, answer.getheaders(), answer.read())


def through_the_packages(deployment: Deployment) -> list[Answered]:
    sandboxes = {
        f"functions.{name}.handler.handler": deployment.sandbox(f"{name.title()}Function", **OFF)
        for name in ("ingest", "stats")
    }
    return [
        answered(*function_url.reply(sandboxes[handler_of(r)].invoke(event_of(r))))
        for r in REQUESTS
    ]


def directly(environment: dict[str, str], folder: Path) -> list[Answered]:
    found = []
    with process(["tests.aws.direct"], environment, folder / "direct.log") as handlers:
        assert handlers.stdin
        assert handlers.stdout
        for request in REQUESTS:
            print(json.dumps([handler_of(request), event_of(request)]), file=handlers.stdin)
            handlers.stdin.flush()
            line = handlers.stdout.readline()
            assert line, (folder / "direct.log").read_text()
            found.append(answered(*function_url.reply(json.loads(line))))
    return found


def test_shim_packages_and_handlers_answer_byte_for_byte_alike(
    migrated: Deployment, environment: dict[str, str], tmp_path: Path
) -> None:
    def anew() -> None:
        execute(migrated.database_url, "TRUNCATE file_sync RESTART IDENTITY CASCADE")

    shim = through_the_shim(environment, tmp_path)
    anew()
    packages = through_the_packages(migrated)
    anew()
    direct = directly(environment, tmp_path)
    for request, *answers in zip(REQUESTS, shim, packages, direct, strict=True):
        assert answers[0] == answers[1] == answers[2], request["name"]
        assert answers[0].status == request["status"], (request["name"], answers[0])
