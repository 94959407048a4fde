"""An S3 for local use: moto's, in a process of its own, with its objects on disk."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from local.servers.ports import answers
from local.servers.process import Command, Process

ROOT = Path(__file__).parents[2]
S3_SETTING = "AWS_ENDPOINT_URL_S3"
S3_LOGIN = {
    "AWS_S3_ACCESS_KEY_ID": "local",
    "AWS_S3_SECRET_ACCESS_KEY": "local",
    "AWS_S3_REGION_NAME": "us-east-1",
}
"""The local S3 asks for a login and takes any."""

S3_ELSEWHERE = frozenset({S3_SETTING, "AWS_ENDPOINT_URL", "LOCALSTACK_HOST"})
"""Any of these says that objects come from somewhere else."""


class S3Server:
    """moto's S3 on 127.0.0.1, its buckets and objects in `data_dir`/s3."""

    name = "S3"

    def __init__(
        self, data_dir: Path, port: int, *, host: str = "127.0.0.1", stays: bool = False
    ) -> None:
        """Describe it; nothing is started.

        Args:
            data_dir: folder for objects, log and pid file; made if missing.
            port: TCP port.
            host: address to listen on.
            stays: see `Process`.
        """
        self._folder = data_dir.resolve()
        self._port = port
        self._host = host
        self._process = Process(self.name, self._folder, stays=stays)

    @property
    def pid(self) -> int | None:
        """The process id, or None while it does not run."""
        return self._process.pid

    @property
    def endpoint(self) -> str:
        """Its URL as `AWS_ENDPOINT_URL_S3` takes it."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it with the objects of its folder; one that runs already is left alone.

        Raises:
            PortInUse, ForeignData: see the docstring of each.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._process.take_over():
            return
        arguments = [sys.executable, "-m", "local.servers.moto_s3", "--host", self._host]
        arguments += ["--port", str(self._port), "--folder", str(self._folder / "s3")]
        environment = {
            "PATH": os.defpath,
            "HOME": str(self._folder),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        self._process.start(Command(arguments, environment), self._port)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until it answers.

        Raises:
            NotReady: it ended, or did not answer within `timeout` seconds.
        """
        question = b"HEAD / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
        self._process.wait_until(lambda: answers(self._port, question, b"HTTP/"), timeout)

    def stop(self) -> None:
        """Stop it; its objects are kept."""
        self._process.stop()
