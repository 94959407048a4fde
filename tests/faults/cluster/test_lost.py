"""Machines that are gone with their data, and are replaced by the commands of docs/scaling.md."""

from __future__ import annotations

import os
import re
import subprocess
import time

import pytest

from tests.faults.cluster.cluster import Cluster
from tests.faults.cluster.engine import PROJECT, docker, named
from tests.faults.cluster.trial import Arena
from tests.helpers.paths import ROOT
from tests.helpers.waiting import until

PAGE = ROOT / "docs" / "scaling.md"
AWAY_SECONDS = 20.0
MEMBERS = (
    "rabbitmq-queues --quiet --formatter json quorum_status sync | grep -o rabbitmq-[0-9] | sort -u"
)


def commands(heading: str) -> str:
    """Return the commands below a heading of the page."""
    _, _, below = PAGE.read_text().partition(f"### {heading}\n")
    _, _, code = below.partition("```sh\n")
    found, _, _ = code.partition("```")
    assert found, heading
    return found


def lose(container: str, volume: str) -> None:
    """Remove a container and its data."""
    docker("rm", "--force", "--volumes", named(container))
    docker("volume", "rm", f"{PROJECT}_{volume}")


def type_in(cluster: Cluster, heading: str, **names: str) -> None:
    """Run the commands below a heading, for another node than the page's where names are given."""
    others = {old.replace("_", "-"): new for old, new in names.items()}
    text = re.sub(r"postgres-\d", lambda found: others.get(found[0], found[0]), commands(heading))
    done = subprocess.run(
        ["sh", "-ec", text],
        cwd=ROOT,
        env={**os.environ, **cluster.engine.variables},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


def test_a_lost_broker_node(machines: Arena) -> None:
    cluster = machines.cluster
    with machines.trial("RabbitMQ node lost, and replaced", seconds=60.0, within=None):
        lose("rabbitmq-2", "rabbitmq-2")
        time.sleep(AWAY_SECONDS)
        type_in(cluster, "A lost RabbitMQ node")
        members = ["rabbitmq-1", "rabbitmq-2", "rabbitmq-3"]
        command = (named("rabbitmq-2"), "sh", "-c", MEMBERS)
        until(lambda: docker("exec", *command).split() == members, "the queue to have three copies")


@pytest.mark.parametrize("part", ["primary", "standby"])
def test_a_lost_database_node(machines: Arena, part: str) -> None:
    cluster = machines.cluster
    number = cluster.primary() if part == "primary" else 3 - cluster.primary()
    with machines.trial(f"PostgreSQL {part} lost, and replaced", seconds=60.0, within=None):
        lose(f"postgres-{number}", f"postgres-{number}")
        time.sleep(AWAY_SECONDS)
        type_in(cluster, "A lost PostgreSQL node", postgres_1=f"postgres-{number}")
        until(cluster.is_whole, "the new node to have everything", 180.0)
        assert cluster.primary() == 3 - number


def test_a_lost_monitor(machines: Arena) -> None:
    cluster = machines.cluster
    with machines.trial("monitor lost, and replaced", seconds=60.0, within=None):
        lose("monitor-3", "monitor")
        primary = cluster.primary()
        time.sleep(AWAY_SECONDS)
        nodes = {"postgres_1": f"postgres-{primary}", "postgres_2": f"postgres-{3 - primary}"}
        type_in(cluster, "A lost monitor", **nodes)
        until(cluster.is_whole, "the new monitor to know both nodes", 180.0)
    with machines.trial("primary killed, with that monitor", seconds=25.0, within=15.0):
        container = named(f"postgres-{cluster.primary()}")
        docker("kill", container)
        time.sleep(AWAY_SECONDS)
        docker("start", container)


def test_a_lost_application_host(machines: Arena) -> None:
    cluster = machines.cluster
    names = [f"{name}-1" for name in ("nginx", "functions", "trigger", "scheduler", "memcached")]
    with machines.trial("application host lost, and replaced", seconds=40.0):
        docker("rm", "--force", *map(named, names))
        time.sleep(AWAY_SECONDS)
        cluster.engine.compose("up", "--detach", "--no-deps", "--wait", *names)
