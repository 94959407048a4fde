"""nginx, private, in front of the functions, from the machine's own installation."""

from __future__ import annotations

import grp
import math
import os
import re
import resource
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.addresses import LOOPBACK_HOSTS, at, near
from local.servers.account import Account
from local.servers.ports import answers
from local.servers.process import Command, Process
from local.servers.programs import find
from shared.config.parsers import IpNetwork

TEMPLATE = Path(__file__).parents[1] / "nginx.conf"

PORTS = 65_536
"""TCP ports of one address, and so the connections that one client can have."""

LEAST_CONNECTIONS = 16_384
"""Connections of each worker: 10,000 idle ones may all reach the same worker."""

FILES_PER_CONNECTION = 4 / 3
"""Open files of a worker: a socket for each connection, and bodies and answers in files."""


def connections(workers: int, most_files: int) -> tuple[int, int]:
    """Return how many connections and open files one worker is to have.

    Args:
        workers: processes of nginx.
        most_files: what the system allows a process.

    =======  ==========  ====================
    workers  most files  connections, files
    =======  ==========  ====================
    1        1,048,576   65,536, 87,382
    2        1,048,576   65,536, 87,382
    4        1,048,576   32,768, 43,691
    16       1,048,576   16,384, 21,846
    2        20,000      15,000, 20,000
    =======  ==========  ====================
    """
    wanted = min(PORTS, max(LEAST_CONNECTIONS, 2 * PORTS // workers))
    files = min(most_files, math.ceil(wanted * FILES_PER_CONNECTION))
    return int(files / FILES_PER_CONNECTION), files


@dataclass(frozen=True, slots=True)
class Tls:
    """What nginx proves its name with.

    Attributes:
        certificate: file of the certificate and of those that it depends on, in PEM.
        key: file of its private key, in PEM, without a password.
    """

    certificate: Path
    key: Path


def render(values: Mapping[str, str]) -> str:
    """Return the configuration, filled in as the container's envsubst does.

    Args:
        values: the value of each `${NAME}`.

    Raises:
        KeyError: one is missing.
    """
    return re.sub(r"\$\{([A-Z_]+)\}", lambda match: values[match[1]], TEMPLATE.read_text())


class NginxServer:
    """A private nginx that passes requests on to the functions.

    Attributes:
        account: see `__init__`; counts from the next start on.
    """

    name = "nginx"

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        functions_port: int,
        storage: Path,
        max_body_bytes: int,
        host: str = "127.0.0.1",
        hosts: str = LOOPBACK_HOSTS,
        proxies: Sequence[IpNetwork] = (),
        tls: Tls | None = None,
        access_log: str = "/dev/stdout",
        account: Account | None = None,
        stays: bool = False,
    ) -> None:
        """Describe it; start nothing.

        Args:
            data_dir: folder for configuration, temporary files, log and pid file.
            port: TCP port to listen on.
            functions_port: TCP port of 127.0.0.1 where the functions answer.
            storage: the folder whose files a function may hand over.
            max_body_bytes: the functions' own limit; nginx refuses what is far above it.
            host: address to listen on.
            hosts: regular expression of the names that clients may call it by, in lower case.
            proxies: networks of the proxies in front, whose X-Forwarded-For and -Proto count.
            tls: answer in TLS alone.
            access_log: where requests are logged, as nginx's `access_log` names it.
            account: the account to run as, which can read the storage; None for ours.
            stays: see `Process`.
        """
        self._folder = data_dir.resolve()
        self._host = host
        self._port = port
        self.account = account
        self._own = self._folder / "nginx" / "own"
        self._process = Process(self.name, self._folder, stays=stays, stop_signal=signal.SIGQUIT)
        most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if most_files == resource.RLIM_INFINITY:
            most_files = 2 * PORTS
        most, files = connections(os.cpu_count() or 1, most_files)
        self._values = {
            "NGINX_ACCESS_LOG": access_log,
            "NGINX_ANSWER_TIMEOUT": "9s",
            "NGINX_CONNECTIONS": str(most),
            "NGINX_FILES": str(files),
            "NGINX_FOLDER": str(self._own),
            "NGINX_FUNCTIONS": f"127.0.0.1:{functions_port}",
            "NGINX_HOSTS": hosts,
            "NGINX_LISTEN": at(host, port) + (" ssl" if tls else ""),
            "NGINX_MAX_BODY_BYTES": str(2 * max_body_bytes),
            "NGINX_PROXIES": " ".join(f"{network} 1;" for network in proxies),
            "NGINX_REAL_IP": " ".join(f"set_real_ip_from {network};" for network in proxies),
            "NGINX_RESOLVER": "",
            "NGINX_TLS": _tls_directives(tls) if tls else "",
            "STORAGE_PATH": str(storage.resolve()),
        }

    @property
    def pid(self) -> int | None:
        """The master's process id, or None while it does not run."""
        return self._process.pid

    def start(self) -> None:
        """Start it; one that runs already is kept.

        Raises:
            PortInUse, ProgramMissing, ForeignData: see the docstring of each.
        """
        if self._process.take_over():
            return
        shutil.rmtree(self._own, ignore_errors=True)  # temporary files alone
        configuration = self.configure()
        folder = configuration.parent
        arguments = [find("nginx", "nginx"), "-e", "stderr", "-p", str(folder)]
        arguments += ["-c", str(configuration), "-g", f"daemon off; {self._user()}"]
        self._process.start(Command(arguments, {"PATH": os.defpath}, self.account), self._port)

    def configure(self) -> Path:
        """Write the configuration, and return its file."""
        folder = self._folder / "nginx"
        folder.mkdir(parents=True, exist_ok=True)
        self._make_own()
        configuration = folder / "nginx.conf"
        configuration.write_bytes(os.fsencode(render(self._values)))
        return configuration

    def wait_ready(self, timeout: float = 10.0) -> None:
        """Wait until it accepts connections.

        Raises:
            NotReady: it ended, or did not answer within `timeout` seconds.
        """
        self._process.wait_until(lambda: answers(self._port, b"", b"", near(self._host)), timeout)

    def stop(self) -> None:
        """Stop it once requests in flight have ended; idle connections are closed."""
        self._process.stop(grace=10.0)

    def _user(self) -> str:
        """Return the directive that keeps workers root, if root is meant to run everything."""
        stays_root = os.geteuid() == 0 and self.account is None
        return f"user root {grp.getgrgid(0).gr_name};" if stays_root else ""

    def _make_own(self) -> None:
        """Make nginx's account the owner of what nginx writes, and of nothing that we write."""
        self._own.mkdir(mode=0o700, exist_ok=True)
        if self.account:
            os.chown(self._own, self.account.uid, self.account.gid)


def _tls_directives(tls: Tls) -> str:
    return f'ssl_certificate "{tls.certificate}"; ssl_certificate_key "{tls.key}";'
