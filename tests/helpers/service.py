"""The service as a client sees it: processes, HTTP, and files."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.http.signing import sign
from tests.helpers.paths import ROOT
from tests.helpers.waiting import until

KEY = "the black-box tests' own key"
START_SECONDS = 90.0
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def payload(file_name: str, file_type: str = "image/jpeg") -> bytes:
    """Return a request body that was never sent before."""
    return json.dumps(
        {
            "oeid": secrets.token_hex(15),
            "ref_id": secrets.token_hex(8),
            "file_name": file_name,
            "file_type": file_type,
        }
    ).encode()


class Service:
    """`./sync run`, everything it keeps in a folder of its own."""

    def __init__(self, folder: Path, port: int, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.storage = folder / "data" / "storage"
        self.port = port
        self._variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PORT": str(port),
            "DATA_DIR": str(folder / "data"),
            "SECRET_KEY": KEY,
            "RATE_LIMIT_GET": "off",
            "RATE_LIMIT_POST": "off",
            "PYTHONPATH": str(ROOT),
            **variables,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local", "run"],
                cwd=self.folder,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, seconds=START_SECONDS)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            return self.get("/sync/").status == 200
        except OSError:
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; return its exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(STOP_SECONDS)

    def listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def run_once(self) -> tuple[int, str]:
        """Start one that cannot run; return its exit status and what it said."""
        ended = subprocess.run(
            [sys.executable, "-m", "local", "run"],
            cwd=self.folder,
            env=self._variables,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                method, path, body, {k.replace("_", "-"): v for k, v in headers.items()}
            )
            answer = connection.getresponse()
            lower = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, lower, answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, body: bytes, signature: str | None = None) -> Answer:
        return self.request(
            "POST",
            "/sync/",
            body,
            Content_Type="application/json",
            Authorization=sign(KEY.encode(), body) if signature is None else signature,
        )

    def counts(self) -> tuple[int, int]:
        """Return the numbers of synced and of queued objects."""
        document = self.get("/sync/").document
        return document["synced_objects_count"], document["queued_objects_count"]

    def wait_synced(self, number: int, seconds: float = 60.0) -> None:
        until(lambda: self.counts()[0] >= number, seconds=seconds)

    def files(self) -> dict[str, bytes]:
        """Return every file in the storage, part files included."""
        return {
            str(path.relative_to(self.storage)): path.read_bytes()
            for path in self.storage.rglob("*")
            if path.is_file()
        }
