"""The container engine, as the fault suite for machines uses it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.helpers.paths import ROOT

COMPOSE = ROOT / "local" / "cluster" / "compose.sh"
CHANGES = ROOT / "tests" / "faults" / "cluster"
"""Folder of Compose files that change the cluster's."""

MACHINES = (1, 2, 3)
PROJECT = "external-storage-sync-cluster"
NETWORK = f"{PROJECT}_default"
FIREWALL = "external-storage-sync-firewall"
"""Name of the image that closes the ways between machines."""

SECONDS = 900.0


def docker(*arguments: str, check: bool = True, seconds: float = SECONDS) -> str:
    """Run `docker` and return what it printed.

    Raises:
        AssertionError: it failed.
    """
    return _run(["docker", *arguments], check=check, seconds=seconds)


def logged(container: str, since: str) -> str:
    """Return what a container printed since a moment, as `docker logs` takes one."""
    command = ["docker", "logs", f"--since={since}", container]
    done = subprocess.run(command, stdout=-1, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


class Engine:
    """The containers of one cluster.

    Args:
        folder: for its secrets, its files and the bucket's.
        variables: of the environment of Compose.

    Attributes:
        variables: those that Compose needs, the folder's among them.
    """

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.variables = {"CLUSTER_DIR": str(folder), **variables}

    def compose(self, *arguments: str, change: str = "", **variables: str) -> str:
        """Run Compose on the cluster.

        Args:
            arguments: of Compose.
            change: name of one more file in this folder that changes services.
            variables: of its environment, besides.
        """
        names = ["docker-compose.yml", *([f"{change}.yml"] if change else [])]
        changes = {"CLUSTER_CHANGES": " ".join(str(CHANGES / name) for name in names)}
        command = ["sh", str(COMPOSE), *arguments]
        return _run(command, seconds=SECONDS, variables=self.variables | changes | variables)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the engine knows about a container."""
        found: list[dict[str, Any]] = json.loads(docker("inspect", named(container)))
        return found[0]

    def address(self, container: str) -> str:
        """Return the address that a container has in the cluster, or would have."""
        networks = self.inspect(container)["NetworkSettings"]["Networks"]
        return str(networks[NETWORK]["IPAMConfig"]["IPv4Address"])

    def cut(self, container: str) -> None:
        """Take a container off the network; nothing that it sends or is sent arrives."""
        docker("network", "disconnect", "--force", NETWORK, named(container))

    def join(self, container: str, address: str) -> None:
        """Put a container back where it was in the network."""
        docker(
            *("network", "connect", "--ip", address, "--alias", container),
            *(NETWORK, named(container)),
        )

    def isolate(self, machine: int) -> None:
        """Let nothing pass between a machine and all others."""
        closed = [16 * other for other in (*MACHINES, 4) if other != machine]
        rules = [
            f"iptables -w -A {chain} {side} 172.30.28.{base}/28 -j DROP"
            for base in closed
            for chain, side in (("INPUT", "-s"), ("OUTPUT", "-d"))
        ]
        self._in_networks(machine, rules)

    def rejoin(self, machine: int) -> None:
        """Let everything pass again."""
        self._in_networks(machine, ["iptables -w -F INPUT", "iptables -w -F OUTPUT"])

    def machine(self, number: int) -> list[str]:
        """Return the containers of a machine that run."""
        names = docker("ps", "--format", "{{.Names}}").split()
        ours = [name for name in names if name.endswith("-external-storage-sync")]
        return [short for n in ours if (short := _short(n)).endswith(f"-{number}")]

    def build_firewall(self) -> None:
        """Build the image that `isolate` needs."""
        docker("build", "--network=host", f"--tag={FIREWALL}", str(CHANGES / "firewall"))

    def close(self) -> None:
        """Remove all containers and volumes."""
        self.compose("down", "--volumes", "--timeout=5", "--remove-orphans")

    def _in_networks(self, machine: int, commands: Sequence[str]) -> None:
        """Run commands in the networks of a machine's containers, of all at the same time."""
        script = "\n".join(commands)

        def enter(container: str) -> None:
            network = f"--network=container:{named(container)}"
            docker("run", "--rm", "--cap-add=NET_ADMIN", network, FIREWALL, "sh", "-ec", script)

        containers = self.machine(machine)
        with ThreadPoolExecutor(len(containers)) as threads:
            list(threads.map(enter, containers))


def named(container: str) -> str:
    """Return the full name of a container of the cluster."""
    return f"{container}-external-storage-sync"


def _short(name: str) -> str:
    return name.removesuffix("-external-storage-sync")


def _run(
    command: Sequence[str],
    *,
    check: bool = True,
    seconds: float,
    variables: Mapping[str, str] | None = None,
) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        env={**os.environ, **(variables or {})},
    )
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout
