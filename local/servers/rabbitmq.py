"""RabbitMQ, private, from the machine's own installation, with a port mapper of its own."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from local.servers.ports import answers, require_free
from local.servers.process import Command, Process
from local.servers.programs import find

NODE = "sync@localhost"
USER = "sync"
# What a client says first, and the first bytes of connection.start: a method frame of channel 0
# (AMQP 0-9-1, sections 2.2.4 and 2.3.5).
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
CONNECTION_START = b"\x01\x00\x00"


@dataclass(frozen=True, slots=True)
class RabbitPorts:
    """The TCP ports of 127.0.0.1 that one instance takes.

    Attributes:
        amqp: clients.
        management: the management plugin's pages and API.
        distribution: Erlang's own, for rabbitmqctl.
        mapper: epmd, of which rabbitmqctl asks the distribution port.
    """

    amqp: int
    management: int
    distribution: int
    mapper: int


class RabbitServer:
    """A private RabbitMQ on 127.0.0.1, its data in `data_dir`/rabbitmq."""

    name = "RabbitMQ"

    def __init__(self, data_dir: Path, ports: RabbitPorts, *, stays: bool = False) -> None:
        """Describe it; start nothing.

        Args:
            data_dir: folder for data, configuration, log and pid files; made if missing.
            ports: its ports.
            stays: see `Process`.
        """
        self._folder = data_dir.resolve()
        self._home = self._folder / "rabbitmq"
        self._ports = ports
        self._process = Process(self.name, self._folder, stays=stays)
        self._mapper = Process("epmd", self._folder, stays=stays)

    @property
    def pid(self) -> int | None:
        """The Erlang machine's process id, or None while it does not run."""
        return self._process.pid

    @property
    def password(self) -> str:
        """The password of its one user; there is one after the first start."""
        return (self._home / "password").read_text()

    @property
    def url(self) -> str:
        """The URL of the default virtual host, password included."""
        return self.url_of("/")

    def url_of(self, vhost: str) -> str:
        """Return the URL of a virtual host."""
        name = quote(vhost, safe="")
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self._ports.amqp}/{name}"

    @property
    def management_url(self) -> str:
        """The URL of the management pages, without the password."""
        return f"http://127.0.0.1:{self._ports.management}"

    def start(self) -> None:
        """Start it and its port mapper; one that runs already is kept.

        Raises:
            PortInUse, ProgramMissing, ForeignData: see the docstring of each.
        """
        programs, environment = _programs(), self.environment()
        self.configure()
        if self._process.take_over():
            return
        for port in (self._ports.management, self._ports.distribution):
            require_free(port, self.name)
        if not self._mapper.take_over():
            mapper = (find("epmd", "erlang-base"), "-port", str(self._ports.mapper))
            self._mapper.start(
                Command((*mapper, "-address", "127.0.0.1"), environment), self._ports.mapper
            )
            self._mapper.wait_until(lambda: answers(self._ports.mapper, b"", b""), 10.0)
        server = Command((str(programs / "rabbitmq-server"),), environment)
        self._process.start(server, self._ports.amqp)

    def wait_ready(self, timeout: float = 120.0) -> None:
        """Wait until it greets a client; its listeners start after everything else.

        Raises:
            NotReady: it ended, or did not answer within `timeout` seconds.
        """
        self._process.wait_until(
            lambda: answers(self._ports.amqp, PROTOCOL_HEADER, CONNECTION_START), timeout
        )

    def stop(self) -> None:
        """Stop it cleanly, then its port mapper."""
        self._process.stop(grace=60.0)
        self._mapper.stop()

    def control(self, *arguments: str) -> Command:
        """Return the `rabbitmqctl` command for this instance."""
        return Command((str(_programs() / "rabbitmqctl"), *arguments), self.environment())

    def environment(self) -> dict[str, str]:
        """Return the environment that keeps the instance apart from every other one.

        https://www.rabbitmq.com/docs/configure#supported-environment-variables
        """
        erlang = Path(find("erl", "erlang-base")).parent
        home = str(self._home)
        return {
            "PATH": f"{erlang}{os.pathsep}{os.defpath}",
            "HOME": home,  # the Erlang cookie
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._ports.mapper),
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_CONF_ENV_FILE": f"{home}/none",  # not the machine's own
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/none.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_LOG_BASE": home,
            "RABBITMQ_LOGS": "-",  # to our log file
            "RABBITMQ_PID_FILE": f"{home}/erlang.pid",
            "RABBITMQ_DIST_PORT": str(self._ports.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RUNNING_UNDER_SYSTEMD": "1",  # the script becomes the server and leaves no shell
        }

    def configure(self) -> None:
        """Write its configuration, and its password the first time."""
        self._home.mkdir(parents=True, exist_ok=True)
        secret = self._home / "password"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_urlsafe(24))
        configuration = {
            "listeners.tcp.local": f"127.0.0.1:{self._ports.amqp}",
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": str(self._ports.management),
            "default_user": USER,  # made with the data, instead of guest
            "default_pass": self.password,
            "default_user_tags.administrator": "true",
            "log.console.level": "warning",
            "disk_free_limit.absolute": "256MB",
        }
        path = self._home / "rabbitmq.conf"
        path.touch(mode=0o600)
        path.write_text("".join(f"{k} = {v}\n" for k, v in configuration.items()))
        (self._home / "enabled_plugins").write_text("[rabbitmq_management].\n")


def running_url(data_dir: Path) -> str | None:
    """Return the URL of the server that runs on a data folder, password included, or None.

    Args:
        data_dir: the folder that its `RabbitServer` was given.

    Raises:
        OSError: a server runs there, and its files belong to another account.
    """
    if Process(RabbitServer.name, data_dir).pid is None:
        return None
    home = data_dir / "rabbitmq"
    lines = (home / "rabbitmq.conf").read_text().splitlines()
    configuration = dict(line.split(" = ", 1) for line in lines)
    address = configuration["listeners.tcp.local"]
    return f"amqp://{USER}:{(home / 'password').read_text()}@{address}/%2F"


def _programs() -> Path:
    """Return the folder of RabbitMQ's own scripts.

    Debian's /usr/sbin/rabbitmq-server insists on the account rabbitmq and changes to it; the
    scripts that it wraps do not.
    """
    unwrapped = Path("/usr/lib/rabbitmq/bin")
    if (unwrapped / "rabbitmq-server").exists():
        return unwrapped
    return Path(find("rabbitmq-server", "rabbitmq-server")).resolve().parent
