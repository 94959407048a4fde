"""The ways that a request takes to a function: the local server, the package, the bare handler."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from local.http import function_url
from local.http.router import Router, Target
from local.template import load
from tests.aws.conftest import Deployment
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port

OF_THE_SERVER = {"connection", "content-length", "date", "server", "transfer-encoding"}
"""Belong to the connection, not to the answer."""


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
        request_id=request["headers"]["x-request-id"],
        now=1_795_428_000.0,
    )


def answered(
    request: dict[str, Any], status: int, headers: list[tuple[str, str]], body: bytes
) -> Answered:
    kept = [(n.lower(), v) for n, v in headers if n.lower() not in OF_THE_SERVER]
    # Servers and gateways alike keep the body of an answer to HEAD for themselves.
    return Answered(status, sorted(kept), b"" if request["method"] == "HEAD" else body)


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


@contextlib.contextmanager
def process(
    arguments: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[str]]:
    with log.open("wb") as errors:
        started = subprocess.Popen(
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


def through_the_shim(
    requests: Sequence[dict[str, Any]], environment: dict[str, str], folder: Path
) -> list[Answered]:
    port = free_port()
    environment = environment | {"PORT": str(port), "DATA_DIR": str(folder / "data")}
    with process(["local", "serve"], environment, folder / "shim.log") as shim:
        deadline = time.monotonic() + 60
        while True:
            try:
                return [over_http(port, request) for request in requests]
            except ConnectionRefusedError:
                assert shim.poll() is None, (folder / "shim.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)


def over_http(port: int, request: dict[str, Any]) -> Answered:
    target = quote(request["path"]) + (f"?{request['query']}" if request["query"] else "")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request(request["method"], target, body_of(request), request["headers"])
        answer = connection.getresponse()
        return answered(request, answer.status, answer.getheaders(), answer.read())


def through_the_packages(
    requests: Sequence[dict[str, Any]], deployment: Deployment, changes: dict[str, str]
) -> list[Answered]:
    sandboxes = {
        handler: deployment.sandbox(function_name(handler), **changes)
        for handler in {handler_of(r) for r in requests}
    }
    return [
        answered(r, *function_url.reply(sandboxes[handler_of(r)].invoke(event_of(r))))
        for r in requests
    ]


def function_name(handler: str) -> str:
    """Return the logical id of a handler's function."""
    return handler.split(".")[1].title().replace("_", "") + "Function"


def directly(
    requests: Sequence[dict[str, Any]], environment: dict[str, str], folder: Path
) -> list[Answered]:
    found = []
    with process(["tests.aws.direct"], environment, folder / "direct.log") as handlers:
        assert handlers.stdin
        assert handlers.stdout
        for request in requests:
            print(json.dumps([handler_of(request), event_of(request)]), file=handlers.stdin)
            handlers.stdin.flush()
            line = handlers.stdout.readline()
            assert line, (folder / "direct.log").read_text()
            found.append(answered(request, *function_url.reply(json.loads(line))))
    return found
