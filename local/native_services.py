"""The whole service on natively installed servers: each a private instance on a fixed port."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.addresses import base_url
from local.environment import LocalEnvironment
from local.preflight import check
from local.provisioning import prepare
from local.run_as import account_of_functions, account_of_nginx
from local.servers.account import Account
from local.servers.bucket import fill_with_samples
from local.servers.memcached import MemcachedServer
from local.servers.nginx import NginxServer, Tls
from local.servers.ports import answers
from local.servers.postgres import ROLES, PostgresServer, native_binaries
from local.servers.process import Command, Process
from local.servers.rabbitmq import RabbitPorts, RabbitServer
from local.servers.s3 import S3_ELSEWHERE, S3_LOGIN, S3_SETTING, S3Server
from local.servers.server import Server
from shared.config.settings import Settings

READY_SECONDS = 120.0
FUNCTIONS_READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The TCP ports, those of the documentation by default."""

    nginx: int = 27000
    postgres: int = 27001
    management: int = 27002
    functions: int = 27003
    amqp: int = 27004
    memcached: int = 27005
    s3: int = 27006
    distribution: int = 27007
    mapper: int = 27008


@dataclass(frozen=True, slots=True)
class _Part:
    """A server, left out where a variable names another one.

    Attributes:
        setting: the variable that names this one to our processes.
        server: the server.
        value: returns the variable's value once the server has been started.
        elsewhere: the variables of which any names another server.
    """

    setting: str
    server: Server
    value: Callable[[], str]
    elsewhere: frozenset[str]


class NativeServices:
    """Every server and process of the service, each below `DATA_DIR`/services.

    A server whose setting is given is left out: the service uses the given one.
    """

    def __init__(
        self,
        environment: LocalEnvironment,
        ports: Ports | None = None,
    ) -> None:
        """Describe them; start nothing.

        Args:
            environment: what the user set up.
            ports: the ports, or None for the usual ones.
        """
        self._environment = environment
        self._ports = ports or Ports()
        self._folder = environment.data_dir / "services"
        self._host = environment.host
        own = self._ports
        self._rabbitmq = RabbitServer(
            self._folder,
            RabbitPorts(own.amqp, own.management, own.distribution, own.mapper),
            stays=True,
        )
        self._parts = self._all_parts(native_binaries)
        self._nginx = self._make_nginx()
        self._functions = Process("functions", self._folder, stays=True)
        # Triggers of an earlier start with a higher TRIGGERS are stopped like the others.
        wanted = {f"trigger-{number + 1}" for number in range(environment.triggers)}
        left = {path.stem for path in self._folder.glob("trigger-*.pid")} - wanted
        self._triggers, self._surplus = (
            [Process(name, self._folder, stays=True) for name in sorted(names)]
            for names in (wanted, left)
        )
        self._scheduler = Process("scheduler", self._folder, stays=True)

    @property
    def _url(self) -> str:
        """Where nginx answers, for people and clients on this machine."""
        return base_url(self._host, self._ports.nginx, tls=self._environment.tls is not None)

    def start(self) -> Iterator[str]:
        """Start what does not run, in order; idempotent.

        Yields:
            What happened, a line each.

        Raises:
            SettingError, ServerError: something cannot be started; the text says what to do.
        """
        check(self._environment)
        account = account_of_functions(self._environment, self._ports.functions)
        self._nginx.account = account_of_nginx(self._environment, account)
        self._folder.mkdir(parents=True, exist_ok=True)
        given = set(self._environment.given)
        parts = [part for part in self._parts if not part.elsewhere & given]
        for part in parts:
            part.server.start()
        for part in parts:
            part.server.wait_ready(READY_SECONDS)
            yield f"{part.server.name}: process {part.server.pid}"
        variables = self._variables(parts)
        yield from prepare(variables)
        if variables.get(S3_SETTING) not in {None, self._environment.given.get(S3_SETTING)}:
            put = fill_with_samples(Settings.from_mapping(variables))
            yield f"sample pictures uploaded: {put}"
        self._start_processes(variables, account)
        self._nginx.start()
        self._nginx.wait_ready()
        for process in (self._functions, *self._triggers, self._scheduler):
            yield f"{process.name}: process {process.pid}"
        yield f"nginx: process {self._nginx.pid}, {self._url}"

    def stop(self) -> Iterator[str]:
        """Stop what runs: first those that take requests, last the database.

        Yields:
            What was stopped, a line each.
        """
        for running in self._all():
            if running.pid is not None:
                yield f"{running.name}: stopped"
            running.stop()

    def status(self) -> Iterator[str]:
        """Yield a line for each server and process."""
        for running in self._all():
            pid = running.pid
            yield f"{running.name}: {f'process {pid}' if pid else 'not running'}"

    def rabbitmqctl(self, *arguments: str) -> Command:
        """Return a `rabbitmqctl` command for the private RabbitMQ."""
        return self._rabbitmq.control(*arguments)

    def _all(self) -> list[Server | Process]:
        own = [self._functions, *self._triggers, *self._surplus, self._scheduler]
        return [self._nginx, *own, *(part.server for part in self._parts)]

    def _all_parts(self, binaries: Callable[[], Path]) -> list[_Part]:
        ports, folder = self._ports, self._folder
        postgres = PostgresServer(folder, ports.postgres, binaries, stays=True)
        memcached = MemcachedServer(folder, ports.memcached, stays=True)
        s3 = S3Server(folder, ports.s3, stays=True)
        rabbitmq = self._rabbitmq
        return [
            _part("RABBITMQ_URL", rabbitmq, lambda: rabbitmq.url),
            _part("MEMCACHED_URL", memcached, lambda: memcached.address),
            _Part(S3_SETTING, s3, lambda: s3.endpoint, S3_ELSEWHERE),
            _part("DATABASE_URL", postgres, lambda: postgres.url),
        ]

    def _make_nginx(self) -> NginxServer:
        environment = self._environment
        settings = Settings.from_mapping(environment.given)
        return NginxServer(
            self._folder,
            self._ports.nginx,
            functions_port=self._ports.functions,
            storage=environment.storage,
            max_body_bytes=settings.max_body_bytes,
            host=self._host,
            hosts=environment.allowed_hosts.pattern,
            proxies=settings.trusted_proxies,
            tls=Tls(*environment.tls) if environment.tls else None,
            stays=True,
        )

    def _variables(self, parts: Iterable[_Part]) -> dict[str, str]:
        """Return the environment of our processes, once the servers have made their passwords."""
        variables = self._environment.local_variables()
        for part in parts:
            variables[part.setting] = part.value()
            if part.setting == S3_SETTING:
                variables = {**S3_LOGIN, **variables}
            if part.setting == "DATABASE_URL":
                variables = {**ROLES, **variables}
        return {
            **variables,
            "TRUSTED_PROXIES": "127.0.0.1/32",  # nginx, which believes those that are set
            # Clients come to nginx, by names of its own; its address is one of them.
            "ALLOWED_HOSTS": f"{variables.get('ALLOWED_HOSTS', '')},{self._host}",
            "HOST": "127.0.0.1",
            "MEDIA_ACCEL": "1",
            "PORT": str(self._ports.functions),
        }

    def _start_processes(self, variables: Mapping[str, str], account: Account | None) -> None:
        for process in self._surplus:
            process.stop()
        self._start_one(self._functions, "serve", variables, account, self._ports.functions)
        for process in self._triggers:
            self._start_one(process, "trigger", variables, account)
        self._start_one(self._scheduler, "scheduler", variables, account)
        self._functions.wait_until(
            lambda: answers(self._ports.functions, b"", b""), FUNCTIONS_READY_SECONDS
        )

    def _start_one(
        self,
        process: Process,
        command: str,
        variables: Mapping[str, str],
        account: Account | None,
        port: int | None = None,
    ) -> None:
        if not process.take_over():
            arguments = (sys.executable, "-m", "local", command)
            directory = self._environment.directory
            process.start(Command(arguments, variables, account, directory), port)


def _part(setting: str, server: Server, value: Callable[[], str]) -> _Part:
    return _Part(setting, server, value, frozenset({setting, f"{setting}_ARN"}))


def on_usual_ports(environment: LocalEnvironment) -> NativeServices:
    """Return the services on the ports of the documentation.

    Clients connect to nginx here, and to the functions themselves in `run`: always by PORT.

    Raises:
        SettingError: a setting is invalid.
    """
    return NativeServices(environment, Ports(nginx=environment.port, s3=environment.s3_port))
