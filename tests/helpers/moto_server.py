"""Several AWS services of moto in one process, where a test needs more of AWS than S3."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from local.servers.ports import answers
from local.servers.process import Command, Process


class MotoServer:
    """moto's server on 127.0.0.1; what it holds is lost when it ends.

    Args:
        folder: for its log.
        port: TCP port.
    """

    name = "AWS"

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._process = Process(self.name, folder)

    @property
    def pid(self) -> int | None:
        """The process id, or None while it does not run."""
        return self._process.pid

    @property
    def endpoint(self) -> str:
        """Its URL, the same for every service."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        arguments = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        environment = {"PATH": os.defpath, "HOME": str(self._folder)}
        self._process.start(Command(arguments, environment), self._port)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until it answers."""
        question = b"HEAD / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
        self._process.wait_until(lambda: answers(self._port, question, b"HTTP/"), timeout)

    def stop(self) -> None:
        """Stop it."""
        self._process.stop()
