"""Prometheus beside the running service, `./sync monitoring`, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable

from local.environment import LocalEnvironment
from local.servers.errors import NotReady
from local.servers.prometheus import PrometheusServer
from local.shutdown import StopFlag

READY_SECONDS = 60.0
LOOK_SECONDS = 1.0


def monitor(environment: LocalEnvironment, port: int, show: Callable[[str], object]) -> None:
    """Run Prometheus until SIGTERM or SIGINT.

    Args:
        environment: of the service that it watches.
        port: where Prometheus answers.
        show: takes a line for the person who waits.

    Raises:
        PortInUse, ProgramMissing, ForeignData, NotReady: it cannot be started, or has ended.
    """
    stop = StopFlag.on_signals()
    server = PrometheusServer(environment.data_dir / "monitoring", port, environment.url)
    server.start()
    try:
        server.wait_ready(READY_SECONDS)
        show(f"Prometheus  {server.url}/alerts, its data below {environment.data_dir}/monitoring")
        show("Grafana     import local/monitoring/dashboard.json there; it is not started here")
        while not stop.wait(LOOK_SECONDS):
            if server.pid is None:
                raise NotReady("Prometheus has ended, see its log")
    finally:
        server.stop()
    show("Stopped.")
