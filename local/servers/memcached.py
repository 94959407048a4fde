"""memcached, private, from the machine's own installation."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from local.servers.ports import answers
from local.servers.process import Command, Process
from local.servers.programs import find


class MemcachedServer:
    """A private memcached on 127.0.0.1."""

    name = "memcached"

    def __init__(self, data_dir: Path, port: int, *, stays: bool = False) -> None:
        """Describe it; start nothing.

        Args:
            data_dir: folder for log and pid file; made if missing.
            port: TCP port of 127.0.0.1; UDP stays off.
            stays: see `Process`.
        """
        self._folder = data_dir.resolve()
        self._port = port
        # After SIGTERM it takes up to a second, and it has nothing to put in order.
        self._process = Process(self.name, self._folder, stays=stays, stop_signal=signal.SIGKILL)

    @property
    def pid(self) -> int | None:
        """The process id, or None while it does not run."""
        return self._process.pid

    @property
    def address(self) -> str:
        """Its address as `MEMCACHED_URL` takes it, host:port."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, empty; one that runs already is kept.

        Raises:
            PortInUse, ProgramMissing, ForeignData: see the docstring of each.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._process.take_over():
            return
        arguments = [find("memcached", "memcached"), "--listen=127.0.0.1", f"--port={self._port}"]
        arguments += ["--udp-port=0", "--memory-limit=64"]
        if os.geteuid() == 0:  # it refuses to run as root unless an account is named
            arguments.append("--user=nobody")
        self._process.start(Command(arguments, {"PATH": os.defpath}), self._port)

    def wait_ready(self, timeout: float = 10.0) -> None:
        """Wait until it answers.

        Raises:
            NotReady: it ended, or did not answer within `timeout` seconds.
        """
        self._process.wait_until(lambda: answers(self._port, b"version\r\n", b"VERSION "), timeout)

    def stop(self) -> None:
        """Stop it; what it held is lost, as it may be at any time."""
        self._process.stop()
