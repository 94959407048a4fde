"""The whole service on private servers: what a fault is tried on."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from local.provisioning import prepare
from local.servers.ports import answers
from shared.injection_points import VARIABLE
from tests.faults.harness.broker import Broker
from tests.faults.harness.check import Found, Row
from tests.faults.harness.object_store import BUCKET
from tests.faults.harness.servers import Servers
from tests.faults.harness.services import Service
from tests.helpers.paths import ROOT
from tests.helpers.servers import connect, free_port
from tests.helpers.tcp_proxy import Condition
from tests.helpers.waiting import until

T = TypeVar("T")

SECRET = "fault-suite-marker-secret"
"""A marker that a search of logs and process lists cannot miss."""

S3_SECRET = "fault-suite-marker-s3-secret"

ROWS = """
SELECT id, encode(payload_checksum, 'hex'), file_name, state, last_error, sha256, size_bytes,
       (SELECT count(*) FROM sync_attempt AS a
         WHERE a.file_sync_id = f.id AND a.outcome = 'synced')
  FROM file_sync AS f ORDER BY id
"""

MISSING_OBJECT_SECONDS = "10"
"""Long enough for what is late, short enough to wait for what is missing."""


class Stack:
    """Servers, proxies and our three processes.

    Args:
        folder: of everything.
        rabbitmq_url: see `Servers`.
    """

    def __init__(self, folder: Path, rabbitmq_url: str | None = None) -> None:
        self.folder = folder
        self.storage = folder / "storage"
        self.storage.mkdir(parents=True)
        self.port = free_port()
        with contextlib.ExitStack() as started:
            self.servers = Servers(folder / "servers", rabbitmq_url)
            started.callback(self.servers.close)
            self.broker = Broker(self.servers.broker_url)
            self.variables = self._variables()
            list(prepare(self.variables))
            services = folder / "services"
            services.mkdir()
            self.serve = Service("serve", services, self.variables)
            self.trigger = Service("trigger", services, self.variables)
            self.scheduler = Service("scheduler", services, self.variables)
            self.services = [self.serve, self.trigger, self.scheduler]
            for service in self.services:
                started.callback(service.close)
            self.start()
            self._started = started.pop_all()

    def start(self) -> None:
        """Have all three processes run; return when the service answers."""
        for service in self.services:
            service.start()
        until(self.answers, "the service to answer")

    @contextlib.contextmanager
    def served_with(self, **variables: str) -> Iterator[None]:
        """Have the service run with other settings in the block."""
        self.serve.change(**variables)
        self.serve.restart()
        self.start()
        yield
        self.serve.change(**dict.fromkeys(variables, ""))
        self.serve.restart()

    def answers(self) -> bool:
        """Return whether the HTTP server takes connections."""
        return answers(self.port, b"", b"")

    def close(self) -> None:
        """End all processes and remove every file."""
        self._started.close()

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the ledger, past the proxy."""
        with contextlib.closing(connect(self.servers.database_url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return cursor.fetchall() if cursor.description else []

    def rows(self) -> list[Row]:
        """Return the ledger."""
        return [
            Row(*plain, None if digest is None else bytes(digest), size, times)  # type: ignore[call-arg] # five columns
            for *plain, digest, size, times in self.query(ROWS)
        ]

    def found(self, counts: dict[str, int]) -> Found:
        """Return what is to be judged."""
        return Found(self.rows(), counts, self.broker.waiting(), self.broker.dead())

    def flush_memcached(self) -> None:
        """Have memcached forget everything."""
        with socket.create_connection(("127.0.0.1", self.servers.memcached.port), 5.0) as link:
            link.sendall(b"flush_all\r\n")
            assert link.recv(16) == b"OK\r\n"

    def at_rest(self) -> bool:
        """Return whether there is nothing left to do."""
        queued = self.query("SELECT count(*) FROM file_sync WHERE state = 'queued'")[0][0]
        return queued == 0 and self.broker.waiting() == 0

    def all_settled(self) -> bool:
        """Return whether no row is queued, whatever messages there are."""
        return not self.query("SELECT 1 FROM file_sync WHERE state = 'queued' LIMIT 1")

    def leased(self) -> int:
        """Count the rows that a worker has."""
        sql = "SELECT count(*) FROM file_sync WHERE leased_until IS NOT NULL"
        return int(self.query(sql)[0][0])

    def clear(self) -> None:
        """Forget everything, so that the next fault finds empty rooms."""
        self.query("TRUNCATE file_sync CASCADE")
        self.query("DELETE FROM pause")
        self.broker.purge()
        for path in self.storage.iterdir():
            if path.is_symlink() or not path.is_dir():
                path.unlink()
            else:
                shutil.rmtree(path)

    def restore(self) -> None:
        """Put everything right after a fault that was too much."""
        for server in self.servers.all:
            server.proxy.set_condition(Condition.NORMAL)
        for service in self.services:
            service.stop(signal.SIGKILL)
            service.change(**self.variables, **{VARIABLE: ""})
        self.clear()
        self.start()

    @contextlib.contextmanager
    def storage_on(self, mount: contextlib.AbstractContextManager[T]) -> Iterator[T]:
        """Have another file system at the storage in the block, as this installation's own.

        Args:
            mount: mounts it there; FUSE programs do so only where nothing lies.
        """
        ((identity,),) = self.query("SELECT replace(id::text, '-', '') FROM installation")
        shutil.rmtree(self.storage / ".incoming", ignore_errors=True)
        with mount as mounted:
            mark = self.storage / ".incoming/owner" / identity
            mark.mkdir(parents=True)
            yield mounted
        # The ledger knows the other one now, and takes the folder below for a missing mount.
        mark.mkdir(parents=True)

    def logs(self) -> str:
        """Return the last lines of every process's log that tell of trouble."""
        return "\n".join(
            f"--- {service.command}\n" + "\n".join(_tail(service.log, 8))
            for service in self.services
        )

    def _variables(self) -> dict[str, str]:
        return {
            **self.servers.variables(),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "LOCAL_RUN": "1",
            "SECRET_KEY": SECRET,
            "STORAGE_PATH": str(self.storage),
            "DATA_DIR": str(self.folder / "data"),
            "PORT": str(self.port),
            "THREADS": "4",
            "AWS_S3_BUCKET_NAME": BUCKET,
            "AWS_S3_ACCESS_KEY_ID": "fault-suite",
            "AWS_S3_SECRET_ACCESS_KEY": S3_SECRET,
            "AWS_S3_REGION_NAME": "us-east-1",
            "RATE_LIMIT_CLIENT": "off",
            "RATE_LIMIT_GET": "off",
            "DELIVERY_SECONDS": "2",
            "LEASE_SECONDS": "2",
            "SCHEDULE_SECONDS": "0.5",
            "MISSING_OBJECT_SECONDS": MISSING_OBJECT_SECONDS,
            "SOURCE_STALL_SECONDS": "3",
            # Enough for every kill of a round; what a poison row meets has its own test.
            "MAX_ATTEMPTS": "30",
        }


def _tail(path: Path, count: int) -> list[str]:
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return [line[:600] for line in lines if '"level": "INFO"' not in line][-count:]
