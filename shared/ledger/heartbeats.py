"""Heartbeats: which processes of the service are alive, and what each reports of itself."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from shared.ledger.database import Database
from shared.ledger.rows import storable

WORKER = "worker"
"""Copies objects."""

SCHEDULER = "scheduler"
"""Runs what is due on a schedule, requeue first of all."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last heartbeat of one process.

    Attributes:
        component: `WORKER` or `SCHEDULER`.
        instance: the process, by machine and number.
        age: seconds since the heartbeat, by the database's clock.
        detail: what the process says is wrong, None if nothing is.
    """

    component: str
    instance: str
    age: float
    detail: str | None


class Heartbeats:
    """The operations on heartbeats.

    Args:
        database: with the ledger's queries.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, component: str, detail: str | None = None, instance: str = "") -> None:
        """Record that a process is alive, and forget those of its kind that ended a day ago.

        Args:
            component: `WORKER` or `SCHEDULER`.
            detail: what is wrong with it, None if nothing is.
            instance: which one; by default this process.
        """
        self._database.run(
            "beat",
            component=component,
            instance=instance or this_process(),
            detail=storable(detail),
        )

    def all(self) -> list[Heartbeat]:
        """Return the last heartbeat of every process of the last day, the latest first."""
        return [
            Heartbeat(row.component, row.instance, row.age, row.detail)
            for row in self._database.run("heartbeats")
        ]


def this_process() -> str:
    """Return the name of this process: its machine and its number."""
    return f"{socket.gethostname()}:{os.getpid()}"
