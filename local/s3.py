"""`./sync s3`: the local S3 by itself, filled with the sample pictures."""

from __future__ import annotations

from local.environment import LocalEnvironment
from local.in_subprocess import in_subprocess
from local.servers.bucket import fill_with_samples
from local.servers.s3 import S3_LOGIN, S3_SETTING, S3Server
from local.shutdown import StopFlag
from local.supervisor import Supervisor
from shared.config.settings import Settings

READY_SECONDS = 60.0


def serve(environment: LocalEnvironment) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ServerError: it cannot be started, or not again after it ended by itself.
    """
    stop = StopFlag.on_signals()
    variables = environment.local_variables()
    host = variables.get("HOST", "127.0.0.1")
    server = S3Server(environment.data_dir, environment.s3_port, host=host)
    server.start()
    try:
        server.wait_ready(READY_SECONDS)
        own = {**S3_LOGIN, **variables, S3_SETTING: server.endpoint}
        in_subprocess(fill_with_samples, Settings.from_mapping(own))
        supervisor = Supervisor(own)
        supervisor.adopt(server)
        supervisor.watch(stop)
    finally:
        server.stop()
