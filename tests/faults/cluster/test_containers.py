"""Every kind of container killed, paused and cut off, under load."""

from __future__ import annotations

import time

import pytest

from tests.faults.cluster.cluster import Cluster
from tests.faults.cluster.engine import docker, named
from tests.faults.cluster.trial import FAILOVER_SECONDS, SOON_SECONDS, Arena
from tests.helpers.waiting import until

KINDS = (
    "nginx",
    "functions",
    "trigger",
    "scheduler",
    "PostgreSQL primary",
    "PostgreSQL standby",
    "RabbitMQ",
    "memcached",
    "monitor",
)
FAULT_SECONDS = 20.0


def container_of(cluster: Cluster, kind: str) -> str:
    """Return the container that has a part at the moment."""
    match kind:
        case "PostgreSQL primary":
            return f"postgres-{cluster.primary()}"
        case "PostgreSQL standby":
            return f"postgres-{3 - cluster.primary()}"
        case "monitor":
            return "monitor-3"
        case "RabbitMQ":
            return "rabbitmq-1"
        case _:
            return f"{kind}-1"


def pause(container: str) -> None:
    """Pause a container; the engine cannot while a health check begins in it."""

    def is_paused() -> bool:
        docker("pause", named(container), check=False)
        state = docker("inspect", "--format={{.State.Status}}", named(container))
        return state.strip() == "paused"

    until(is_paused, f"{container} to be paused", 10.0)


def limit_of(kind: str) -> float:
    """Return within how many seconds the rate must be back."""
    return FAILOVER_SECONDS if kind.startswith("PostgreSQL") else SOON_SECONDS


@pytest.mark.parametrize("kind", KINDS)
def test_killed(machines: Arena, kind: str) -> None:
    container = container_of(machines.cluster, kind)
    with machines.trial(f"{kind} killed", seconds=FAULT_SECONDS, within=limit_of(kind)):
        docker("kill", named(container))
        time.sleep(FAULT_SECONDS)
        docker("start", named(container))


@pytest.mark.parametrize("kind", KINDS)
def test_paused(machines: Arena, kind: str) -> None:
    container = container_of(machines.cluster, kind)
    with machines.trial(f"{kind} paused", seconds=FAULT_SECONDS, within=limit_of(kind)):
        pause(container)
        time.sleep(FAULT_SECONDS)
        docker("unpause", named(container))


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off(machines: Arena, kind: str) -> None:
    engine = machines.cluster.engine
    container = container_of(machines.cluster, kind)
    address = engine.address(container)
    with machines.trial(f"{kind} cut off", seconds=FAULT_SECONDS, within=limit_of(kind)):
        engine.cut(container)
        time.sleep(FAULT_SECONDS)
        engine.join(container, address)
