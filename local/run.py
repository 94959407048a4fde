"""`python -m local run`: everything in one command, embedded unless it is set up elsewhere."""

from __future__ import annotations

import json
import secrets
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from local.client import curl
from local.preparation import prepare
from local.servers.postgres import PostgresServer, embedded_binaries
from local.servers.process import require_free
from local.supervisor import Supervisor
from shared import log

if TYPE_CHECKING:
    from local.environment import LocalEnvironment
    from local.servers.server import Server

READY_SECONDS = 60.0


def run(environment: LocalEnvironment) -> None:
    """Starts servers and functions, and keeps them running until SIGTERM or SIGINT.

    Raises:
        SettingError, ServerError: something cannot be started; the text says what to do.
    """
    log.configure()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    variables = environment.local_variables()
    require_free(environment.port, "the service")
    Path(variables["STORAGE_PATH"]).mkdir(parents=True, exist_ok=True)
    with ExitStack() as servers:
        _embed(environment, variables, servers)
        for _ in prepare(variables):
            pass
        supervisor = Supervisor(variables)
        servers.callback(supervisor.stop)
        supervisor.start("serve")
        supervisor.start("scheduler")
        if variables.get("RABBITMQ_URL"):
            supervisor.start("trigger")
        _greet(environment, variables)
        supervisor.watch(stop)
    Console().print("Stopped.")


def _embed(environment: LocalEnvironment, variables: dict[str, str], servers: ExitStack) -> None:
    """Starts what no variable names, and adds its variable."""
    if not variables.get("DATABASE_URL"):
        port = free_port()
        postgres = PostgresServer(environment.data_dir, port, embedded_binaries())
        _start(postgres, servers)
        variables["DATABASE_URL"] = postgres.url
    if variables.get("SOURCE", "s3") == "s3" and not _s3_given(variables):
        s3 = S3Server(environment.data_dir, environment.s3_port)
        _start(s3, servers)
        variables["AWS_ENDPOINT_URL_S3"] = s3.endpoint
        variables.setdefault("AWS_S3_ACCESS_KEY_ID", "local")
        variables.setdefault("AWS_S3_SECRET_ACCESS_KEY", "local")
        variables.setdefault("AWS_S3_REGION_NAME", "us-east-1")
        fill(Settings.from_mapping(variables), environment.data_dir / "samples")


def _s3_given(variables: Mapping[str, str]) -> bool:
    return any(
        variables.get(n) for n in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "LOCALSTACK_HOST")
    )


def _start(server: Server, servers: ExitStack) -> None:
    server.start()
    servers.callback(server.stop)
    server.wait_ready(READY_SECONDS)


def _greet(environment: LocalEnvironment, variables: Mapping[str, str]) -> None:
    """Tells a person where everything is, once the service answers."""
    url = f"http://localhost:{environment.port}"
    body = json.dumps(
        {
            "oeid": secrets.token_hex(15),
            "ref_id": str(secrets.randbelow(10**19)),
            "file_name": FIRST_SAMPLE,
            "file_type": "image/jpeg",
        }
    ).encode()
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"URL      {url}/sync/")
    console.print(f"Admin    {url}/admin/  (user root, password admin)")
    console.print(f"Files    {variables['STORAGE_PATH']}")
    console.print("Try      " + curl(url, variables["SECRET_KEY"].encode(), body), markup=False)
