"""Prometheus, private, from the machine's own installation: it watches the service."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from local.servers.ports import answers
from local.servers.process import Command, Process
from local.servers.programs import find

CONFIG = Path(__file__).parents[1] / "monitoring" / "prometheus.yml"


class PrometheusServer:
    """A private Prometheus on 127.0.0.1, with the project's rules.

    Args:
        folder: for its data, its configuration, log and pid file; made if missing.
        port: TCP port of 127.0.0.1.
        target: URL of the service that it scrapes.
        interval_seconds: between two scrapes; None for that of the project's configuration.
    """

    name = "Prometheus"

    def __init__(
        self, folder: Path, port: int, target: str, *, interval_seconds: int | None = None
    ) -> None:
        self._folder = folder.resolve()
        self._port = port
        self._target = target
        self._interval_seconds = interval_seconds
        self._process = Process(self.name, self._folder)

    @property
    def pid(self) -> int | None:
        """The process id, or None while it does not run."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where people and programs ask it."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it; one that runs already is kept.

        Raises:
            PortInUse, ProgramMissing, ForeignData: see the docstring of each.
        """
        program = find("prometheus", "prometheus")
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._process.take_over():
            return
        config = self._folder / "prometheus.yml"
        config.write_text(self._config())
        arguments = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        self._process.start(Command(arguments, {"PATH": os.defpath}), self._port)

    def wait_ready(self, timeout: float) -> None:
        """Wait until it answers.

        Raises:
            NotReady: it ended, or did not answer within `timeout` seconds.
        """
        question = b"GET /-/ready HTTP/1.0\r\n\r\n"
        self._process.wait_until(lambda: answers(self._port, question, b"HTTP/1.0 200"), timeout)

    def stop(self) -> None:
        """Stop it; its data is kept."""
        self._process.stop()

    def _config(self) -> str:
        """Return the project's configuration, for this service and from any folder."""
        config = yaml.safe_load(CONFIG.read_text())
        config["rule_files"] = [str(CONFIG.with_name(name)) for name in config["rule_files"]]
        job, address = config["scrape_configs"][0], urlsplit(self._target)
        job["scheme"] = address.scheme
        if address.scheme == "https":  # by its address, which the certificate need not name
            job["tls_config"] = {"insecure_skip_verify": True}
        job["static_configs"] = [{"targets": [address.netloc]}]
        if self._interval_seconds is not None:
            seconds = f"{self._interval_seconds}s"
            config["global"] = {"scrape_interval": seconds, "evaluation_interval": seconds}
            job["scrape_timeout"] = seconds
        return str(yaml.safe_dump(config))
