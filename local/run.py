"""`./sync run`: everything in one command, embedded unless a variable names a server."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import ExitStack

from rich.console import Console

from local.addresses import near
from local.client import curl, proxied
from local.environment import LocalEnvironment
from local.in_subprocess import in_subprocess
from local.preflight import check
from local.provisioning import prepare
from local.run_as import account_of_functions
from local.servers.bucket import fill_with_samples
from local.servers.ports import free_port
from local.servers.postgres import ROLES, PostgresServer, embedded_binaries
from local.servers.s3 import S3_ELSEWHERE, S3_LOGIN, S3_SETTING, S3Server
from local.servers.sample_pictures import pictures
from local.servers.server import Server
from local.shutdown import StopFlag
from local.storage_owner import require_own_storage
from local.supervisor import Supervisor
from shared.config.settings import Settings
from shared.config.startup import configure_log
from shared.errors import SettingError

READY_SECONDS = 60.0


def run(environment: LocalEnvironment) -> None:
    """Start servers and functions, and keep them running until SIGTERM or SIGINT.

    Raises:
        SettingError, ServerError: something cannot be started, or not again after it ended; the
            text says what to do.
        StorageForeign: the storage is not this installation's.
    """
    configure_log(Settings.from_mapping(environment.given))
    stop = StopFlag.on_signals()
    listener = check(environment)
    if environment.tls:
        raise SettingError("TLS_CERTIFICATE: make run answers without TLS; use make services")
    listener.require_free()
    account = account_of_functions(environment, listener.port)
    variables = environment.local_variables()
    with ExitStack() as started:
        servers = _embed(environment, variables, started)
        list(prepare(variables))
        require_own_storage(Settings.from_mapping(variables))
        supervisor = Supervisor(variables, account)
        started.callback(supervisor.stop)
        supervisor.start("serve")
        supervisor.start("scheduler")
        if "RABBITMQ_URL" in variables:
            for _ in range(environment.triggers):
                supervisor.start("trigger")
        for server in servers:
            supervisor.adopt(server)
        supervisor.wait_for_port(near(listener.host), listener.port, READY_SECONDS)
        _greet(environment, variables)
        supervisor.watch(stop)
    Console().print("Stopped.")


def _embed(
    environment: LocalEnvironment, variables: dict[str, str], started: ExitStack
) -> list[Server]:
    """Start the servers that no variable names, add their variables, and return the servers."""
    servers: list[Server] = []
    if "DATABASE_URL" not in variables:
        postgres = PostgresServer(environment.data_dir, free_port(), embedded_binaries())
        _start(postgres, started)
        servers.append(postgres)
        variables |= {**ROLES, **variables, "DATABASE_URL": postgres.url}
    elsewhere = S3_ELSEWHERE & set(variables)
    if variables.get("SOURCE", "s3") == "s3" and not elsewhere:
        if environment.s3_port == environment.port:
            raise SettingError("S3_PORT: the service itself has that port")
        s3 = S3Server(environment.data_dir, environment.s3_port)
        _start(s3, started)
        servers.append(s3)
        variables |= {**S3_LOGIN, **variables, S3_SETTING: s3.endpoint}
        in_subprocess(fill_with_samples, Settings.from_mapping(variables))
    return servers


def _start(server: Server, started: ExitStack) -> None:
    server.start()
    started.callback(server.stop)
    server.wait_ready(READY_SECONDS)


def _greet(environment: LocalEnvironment, variables: Mapping[str, str]) -> None:
    """Print where everything is, once the service answers."""
    sample = next(pictures())
    body = json.dumps(
        {
            "oeid": secrets.token_hex(15),
            "ref_id": str(secrets.randbelow(10**19)),
            "file_name": sample.name,
            "file_type": sample.media_type,
        }
    ).encode()
    settings = Settings.from_mapping(variables)
    own = settings.admin_password or settings.admin_password_hash
    password = "" if own else ", password admin"
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"URL      {environment.url}/sync/")
    console.print(f"Admin    {environment.url}/admin/  (user {settings.admin_user}{password})")
    console.print(f"Files    {environment.storage}")
    key, through_proxy = variables["SECRET_KEY"].encode(), proxied(environment.url)
    console.print("Try      " + curl(environment.url, key, body, proxied=through_proxy))
