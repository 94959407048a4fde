"""A private PgBouncer in transaction mode, in front of a PostgreSQL of the tests."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from local.servers.ports import answers
from local.servers.process import Command, Process
from local.servers.programs import find

ADMIN = "admin"


class PgBouncer:
    """PgBouncer on 127.0.0.1; it takes any client, and logs in to the server by itself.

    Args:
        folder: for its configuration, log and pid file; made if missing.
        port: TCP port of 127.0.0.1.
        server_url: URL of the server's login and database.
        pool_size: connections to the server at most.
        max_clients: connections of clients at most.
    """

    name = "PgBouncer"

    def __init__(
        self,
        folder: Path,
        port: int,
        server_url: str,
        *,
        pool_size: int = 4,
        max_clients: int = 100,
    ) -> None:
        self._folder = folder
        self._port = port
        self._server = urlsplit(server_url)
        self._limits = {"default_pool_size": pool_size, "max_client_conn": max_clients}
        self._process = Process(self.name, folder)

    @property
    def pid(self) -> int | None:
        """The process id, or None while it does not run."""
        return self._process.pid

    @property
    def url(self) -> str:
        """The URL of the server's database through PgBouncer."""
        return f"postgresql://{self._server.username}@127.0.0.1:{self._port}{self._server.path}"

    @property
    def admin_url(self) -> str:
        """The URL of its own console."""
        return f"postgresql://{ADMIN}@127.0.0.1:{self._port}/pgbouncer"

    def start(self) -> None:
        """Start it; see `Server.start`."""
        program = find("pgbouncer", "pgbouncer")
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "pgbouncer.ini"
        file.write_text(self._configuration())
        file.chmod(0o644)
        self._process.start(Command([program, str(file)], {"PATH": os.defpath}), self._port)

    def wait_ready(self, timeout: float = 10.0) -> None:
        """Wait until it accepts connections; see `Server.wait_ready`."""
        self._process.wait_until(lambda: answers(self._port, b"", b""), timeout)

    def stop(self) -> None:
        """Stop it; what its clients do is lost."""
        self._process.stop()

    def _configuration(self) -> str:
        server = self._server
        login = f"user={server.username} password={unquote(server.password or '')}"
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self._port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "admin_users": ADMIN,
            "pool_mode": "transaction",
            # Its default: what a client asks for at the start and the pool cannot keep is refused.
            "ignore_startup_parameters": "",
            **self._limits,
            # As root it changes to another account.
            **({"user": "nobody"} if os.geteuid() == 0 else {}),
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        databases = f"* = host={server.hostname} port={server.port} {login}"
        return "\n".join(["[databases]", databases, "[pgbouncer]", *lines, ""])
