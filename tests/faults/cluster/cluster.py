"""The cluster as the harness sees it: its ledger, its queues, its files."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pika.exceptions
import psycopg2
import psycopg2.extensions

from tests.faults.cluster.engine import Engine, docker, logged, named
from tests.faults.harness.broker import Broker
from tests.faults.harness.check import Found, Row
from tests.faults.harness.stack import ROWS, SECRET
from tests.helpers.servers import free_port
from tests.helpers.waiting import until

ADDRESSES = {
    "postgres": ("172.30.28.21", "172.30.28.37"),
    "rabbitmq": ("172.30.28.22", "172.30.28.38", "172.30.28.54"),
}
IMAGE = "external-storage-sync-cluster"
"""As local/cluster/docker-compose.yml names it."""

MONITOR = "monitor-3"
STATE = "SELECT nodename, reportedstate FROM pgautofailover.node ORDER BY nodename"
READY_SECONDS = 120.0


class Cluster:
    """Three machines.

    Args:
        folder: for everything that outlives a container.
        image: of the service; built from this tree where it is empty.
        ports: of the two front ends and the bucket on this machine; free ones by default.
    """

    def __init__(
        self, folder: Path, image: str = "", ports: tuple[int, int, int] | None = None
    ) -> None:
        *doors, bucket = ports or (free_port(), free_port(), free_port())
        self.ports = tuple(doors)
        self.image = image or IMAGE
        self.storage = folder / "storage"
        variables = {
            "SECRET_KEY": SECRET,
            "CLUSTER_PORT_1": str(self.ports[0]),
            "CLUSTER_PORT_2": str(self.ports[1]),
            "CLUSTER_S3_PORT": str(bucket),
            **({"CLUSTER_IMAGE": image} if image else {}),
        }
        self._folder = folder
        self.engine = Engine(folder, variables)
        try:
            self.engine.build_firewall()
            self.engine.compose("up", "--detach", "--wait", *(["--build"] if not image else []))
            until(self.is_whole, "the cluster to be whole", READY_SECONDS)
        except BaseException:
            if ports is None:
                self.close()
            raise

    def close(self) -> None:
        """Remove it."""
        self.engine.close()

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the primary, past the service; no matter which it is, once there is one."""
        found: list[list[tuple[Any, ...]]] = []

        def asked() -> bool:
            with contextlib.suppress(psycopg2.Error), contextlib.closing(self._connect()) as link:
                link.autocommit = True
                with link.cursor() as cursor:
                    cursor.execute(sql, parameters or None)
                    found.append(cursor.fetchall() if cursor.description else [])
            return bool(found)

        until(asked, "an answer of PostgreSQL", READY_SECONDS)
        return found[0]

    def states(self) -> dict[str, str]:
        """Return the states of the PostgreSQL nodes, as their monitor has them."""
        command = f"psql -At -F ' ' -d pg_auto_failover -c '{STATE}'"
        lines = docker("exec", named(MONITOR), "sh", "-c", command, check=False).splitlines()
        return dict(line.split() for line in lines)

    def primary(self) -> int:
        """Return the number of the machine whose PostgreSQL is the primary."""
        address = self.query("SELECT host(inet_server_addr())")[0][0]
        return 1 + ADDRESSES["postgres"].index(str(address))

    def is_whole(self) -> bool:
        """Return whether everything runs, and both PostgreSQL nodes have every commit."""
        states = self.states()
        if sorted(states.values()) != ["primary", "secondary"]:
            return False
        return self._running_brokers() == len(ADDRESSES["rabbitmq"])

    def _running_brokers(self) -> int:
        """Ask the management of the node that is never struck alone for the nodes that run."""
        password = (self._folder / "compose/rabbitmq.password").read_text()
        login = base64.b64encode(f"sync:{password}".encode()).decode()
        link = http.client.HTTPConnection(ADDRESSES["rabbitmq"][2], 15672, timeout=5)
        try:
            link.request("GET", "/api/nodes", headers={"Authorization": f"Basic {login}"})
            nodes = json.loads(link.getresponse().read())
            return sum(node.get("running") is True for node in nodes)
        except (OSError, http.client.HTTPException, ValueError):
            return 0
        finally:
            link.close()

    def broker(self) -> Broker:
        """Return the queues, by the first node that answers."""
        password = (self._folder / "compose/rabbitmq.password").read_text()
        for address in ADDRESSES["rabbitmq"]:
            broker = Broker(f"amqp://sync:{password}@{address}:5672/%2F?socket_timeout=2")
            with contextlib.suppress(pika.exceptions.AMQPError, OSError):
                broker.waiting()
                return broker
        raise AssertionError("no node of RabbitMQ answers")

    def at_rest(self) -> bool:
        """Return whether there is nothing left to do."""
        queued = self.query("SELECT count(*) FROM file_sync WHERE state = 'queued'")[0][0]
        return bool(queued == 0 and self.broker().waiting() == 0)

    def found(self, counts: dict[str, int]) -> Found:
        """Return what is to be judged."""
        rows = [
            Row(*plain, None if digest is None else bytes(digest), size, times)  # type: ignore[call-arg] # five columns
            for *plain, digest, size, times in self.query(ROWS)
        ]
        left: list[tuple[int, list[bytes]]] = []

        def looked() -> bool:
            # A queue may have no leader yet when its node has just come back.
            with contextlib.suppress(pika.exceptions.AMQPError, OSError):
                broker = self.broker()
                left.append((broker.waiting(), broker.dead()))
            return bool(left)

        until(looked, "every queue to answer", READY_SECONDS)
        return Found(rows, counts, *left[0])

    def synced_at(self, since: float) -> list[float]:
        """Return when objects were synced since a moment, in seconds since 1970."""
        sql = "SELECT extract(epoch FROM synced_at)::float8 FROM file_sync"
        return [at for (at,) in self.query(f"{sql} WHERE synced_at > to_timestamp(%s)", since)]

    def clear(self) -> None:
        """Forget everything, so that the next fault finds empty rooms."""
        self.query("TRUNCATE file_sync CASCADE")
        self.query("DELETE FROM pause")
        self.broker().purge()
        for path in self.storage.iterdir():
            if path.name == ".incoming":
                for part in path.iterdir():
                    if part.name != "owner":
                        part.unlink()
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def logs(self, since: float) -> str:
        """Return the last lines of our processes' logs that tell of trouble."""
        seconds = f"{time.time() - since:.0f}s"
        text = []
        for name in ("functions", "trigger", "scheduler"):
            for number in (1, 2):
                lines = logged(named(f"{name}-{number}"), seconds).splitlines()
                text.append(f"--- {name}-{number}")
                text += [line[:500] for line in lines if '"level": "INFO"' not in line][-8:]
        return "\n".join(text)

    def _connect(self) -> psycopg2.extensions.connection:
        password = (self._folder / "compose/postgres.password").read_text()
        return psycopg2.connect(
            host=",".join(ADDRESSES["postgres"]),
            dbname="sync",
            user="sync",
            password=password,
            connect_timeout=2,
            tcp_user_timeout=3000,
            target_session_attrs="read-write",
            options="-c statement_timeout=5000",
        )
