"""Where the servers of DATA_DIR run, for commands that are typed beside a running service.

`make run`, `make services` and `make up` start servers whose addresses no setting holds: a random
port, passwords made at the first start. What they left on file says where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from local.addresses import LOOPBACK
from local.environment import LocalEnvironment
from local.native_services import Ports
from local.servers import postgres, rabbitmq
from local.servers.memcached import MemcachedServer
from local.servers.ports import answers
from local.servers.process import Process
from local.servers.s3 import S3_ELSEWHERE, S3_LOGIN, S3_SETTING, S3Server
from shared.errors import ServiceError

LEDGER_SETTINGS = frozenset({"DATABASE_URL", "DATABASE_URL_ARN"})
"""If either is set, it chooses the servers, and running ones are not looked for."""

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""Answered by every PostgreSQL with one byte, S or N, before any login (PostgreSQL manual,
Message Formats)."""


class NothingRuns(ServiceError):
    """No running service was found."""


class SeveralRun(ServiceError):
    """More than one service runs on this DATA_DIR."""


class Unreadable(ServiceError):
    """The service's files are not readable."""


@dataclass(frozen=True, slots=True)
class Found:
    """The servers of a running service.

    Attributes:
        command: what started them, such as `make run`.
        variables: the settings that name them.
    """

    command: str
    variables: Mapping[str, str]


def with_servers(environment: LocalEnvironment, ports: Ports | None = None) -> LocalEnvironment:
    """Return an environment that names the servers to use.

    Where DATABASE_URL is given it is the given one, unchanged. Otherwise the variables of the
    service that runs on its DATA_DIR are added, and the defaults of a local run.

    Args:
        environment: what the user set up.
        ports: those of the documentation, or None for the usual ones.

    Raises:
        NothingRuns, SeveralRun, Unreadable: there is no one service to take them from.
    """
    if LEDGER_SETTINGS & set(environment.given):
        return environment
    found = find(environment, ports)
    given = {**found.variables, **environment.local_variables()}
    return replace(environment, given=given)


def find(environment: LocalEnvironment, ports: Ports | None = None) -> Found:
    """Return the one service whose servers run on DATA_DIR.

    Args:
        environment: what the user set up.
        ports: those of the documentation, or None for the usual ones.

    Raises:
        NothingRuns: there is none; the text says what was looked for, and how to start one.
        SeveralRun: there is more than one.
        Unreadable: it runs under another account.
    """
    data_dir = environment.data_dir
    try:
        running = list(_running(environment, ports or Ports()))
    except OSError as error:
        about = f"{error.filename}: {error.strerror}; run this as the account that started it"
        raise Unreadable(about) from error
    if not running:
        raise NothingRuns(
            f"looked in {data_dir} for PostgreSQL as started by make run, make services or make up;"
            " start one of them, or set DATABASE_URL"
        )
    if len(running) > 1:
        commands = " and ".join(found.command for found in running)
        raise SeveralRun(f"{data_dir}: {commands}; stop all but one, or set DATABASE_URL")
    return running[0]


def _running(environment: LocalEnvironment, ports: Ports) -> Iterator[Found]:
    data_dir = environment.data_dir
    embedded = postgres.running_url(data_dir)
    if embedded:
        yield Found("make run", {"DATABASE_URL": embedded, **_s3(environment, data_dir)})
    native = _native(environment, data_dir / "services", ports)
    if native:
        yield native
    else:  # both would have the same port
        containers = _containers(environment, data_dir / "compose", ports)
        if containers:
            yield containers


def _native(environment: LocalEnvironment, folder: Path, ports: Ports) -> Found | None:
    """Return what `make services` started below a folder, if it runs."""
    ledger = postgres.running_url(folder)
    if ledger is None:
        return None
    variables = {"DATABASE_URL": ledger, **_s3(environment, folder)}
    queue = rabbitmq.running_url(folder)
    if queue:
        variables["RABBITMQ_URL"] = queue
    if Process(MemcachedServer.name, folder).pid:
        variables["MEMCACHED_URL"] = f"{LOOPBACK}:{ports.memcached}"
    return Found("make services", variables)


def _containers(environment: LocalEnvironment, folder: Path, ports: Ports) -> Found | None:
    """Return what `make up` started with the secrets in a folder, if it runs.

    Only what `local/docker-compose.yml` publishes can be reached: the ports of the documentation,
    or those of the settings by which a second installation runs beside the first.
    """
    ports = _published(environment, ports)
    secret = folder / "postgres.password"
    if not secret.exists() or not answers(ports.postgres, SSL_REQUEST, b""):
        return None
    ledger, queue = (
        (folder / f"{name}.password").read_text().strip() for name in ("postgres", "rabbitmq")
    )
    variables = {
        "DATABASE_URL": f"postgresql://{postgres.USER}:{ledger}@{LOOPBACK}:{ports.postgres}"
        f"/{postgres.DATABASE}",
        "RABBITMQ_URL": f"amqp://{rabbitmq.USER}:{queue}@{LOOPBACK}:{ports.amqp}/",
        "MEMCACHED_URL": f"{LOOPBACK}:{ports.memcached}",
    }
    if not S3_ELSEWHERE & set(environment.given):
        variables |= {**S3_LOGIN, S3_SETTING: f"http://{LOOPBACK}:{ports.s3}"}
    return Found("make up", variables)


def _published(environment: LocalEnvironment, ports: Ports) -> Ports:
    return replace(
        ports,
        postgres=environment.port_of("POSTGRES_PORT", ports.postgres),
        amqp=environment.port_of("AMQP_PORT", ports.amqp),
        memcached=environment.port_of("MEMCACHED_PORT", ports.memcached),
        s3=environment.port_of("S3_PORT", ports.s3),
    )


def _s3(environment: LocalEnvironment, folder: Path) -> Mapping[str, str]:
    """Return the settings of the local S3 that runs with its files in a folder, if one does."""
    if Process(S3Server.name, folder).pid is None:
        return {}
    return {**S3_LOGIN, S3_SETTING: f"http://{LOOPBACK}:{environment.s3_port}"}
