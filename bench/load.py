"""HTTP load by wrk, one thread, as many requests in flight as it has connections."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

from local.servers.programs import find
from shared.http.signing import sign

SCRIPT = Path(__file__).with_name("load.lua")
MOST_PER_SECOND = 8_000
"""More prepared requests than any run can send: none is sent twice."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of load came to.

    Attributes:
        requests: that were answered.
        seconds: it lasted.
        median_ms: of the time from request to answer.
        p99_ms: the 99th percentile of that time.
        refused: answers other than 2xx and 3xx.
        broken: connections lost, requests without an answer in two seconds.
        generator_seconds: processor time of the generator.
    """

    requests: int
    seconds: float
    median_ms: float
    p99_ms: float
    refused: int
    broken: int
    generator_seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def checked(self) -> Self:
        """Return itself.

        Raises:
            AssertionError: not every request was answered well.
        """
        if self.refused or self.broken:
            raise AssertionError(f"{self.refused} requests refused, {self.broken} broken")
        return self


def prepare(file: Path, key: str, number: int) -> None:
    """Write signed `POST /sync/` requests, each as it goes over the wire, apart by NUL."""
    run = secrets.token_hex(4)
    with file.open("wb") as out:
        for count in range(number):
            body = json.dumps(
                {
                    "oeid": f"{run}-{count}",
                    "ref_id": f"reference-{count}",
                    "file_name": f"load/{run}/{count % 1000}/{count}.jpg",
                    "file_type": "image/jpeg",
                }
            ).encode()
            head = (
                "POST /sync/ HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: {sign(key.encode(), body)}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            out.write(head.encode() + body + b"\0")


def post(connection: HTTPConnection, key: str, name: str) -> None:
    """Send one signed `POST /sync/` over a connection that is kept.

    Args:
        connection: to the service.
        key: the HMAC key.
        name: of the object; it may be sent again and again.

    Raises:
        AssertionError: it was not accepted.
    """
    document = {
        "oeid": name,
        "ref_id": f"{time.time_ns()}",
        "file_name": name,
        "file_type": "application/octet-stream",
    }
    body = json.dumps(document).encode()
    headers = {"Authorization": sign(key.encode(), body), "Content-Type": "application/json"}
    connection.request("POST", "/sync/", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != HTTPStatus.CREATED:
        raise AssertionError(f"{answer.status} {text!r}")


def run(
    port: int,
    seconds: int,
    connections: int,
    requests: Path | None = None,
    prefix: Sequence[str] = (),
) -> Load:
    """Send requests as fast as they are answered.

    Args:
        port: of 127.0.0.1.
        seconds: how long.
        connections: how many at once.
        requests: what `prepare` wrote; None sends `GET /sync/`.
        prefix: command line in front of the generator's, such as taskset's.
    """
    before = os.times()
    command = [*prefix, find("wrk", "wrk"), "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["-s", str(SCRIPT), f"http://127.0.0.1:{port}/sync/"]
    command += ["--", str(requests)] if requests else []
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = os.times()
    spent = sum(after[2:4]) - sum(before[2:4])
    return Load(**json.loads(text.rpartition("JSON")[2]), generator_seconds=spent)


def prepared(folder: Path, key: str, seconds: int) -> Path:
    """Return a file of fresh requests, enough for so many seconds."""
    file = folder / "requests"
    prepare(file, key, MOST_PER_SECOND * seconds)
    return file
