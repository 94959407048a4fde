"""Whole machines: cut off, lost, with a storage or a clock of their own, and upgraded."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.cluster.cluster import Cluster
from tests.faults.cluster.engine import docker, named
from tests.faults.cluster.trial import FAILOVER_SECONDS, Arena
from tests.helpers.paths import ROOT
from tests.helpers.waiting import until

FAULT_SECONDS = 25.0
OURS = ("functions", "trigger", "scheduler")
FAKETIME = "external-storage-sync-faketime"
BEFORE = "external-storage-sync-cluster:before"
COUNTED = """
SELECT coalesce(max(attempts - attempts_forgiven - deaths), 0) FROM file_sync WHERE state = 'queued'
"""


@pytest.mark.parametrize("part", ["primary", "standby", "third"])
def test_a_machine_is_cut_off_from_all_others(machines: Arena, part: str) -> None:
    cluster = machines.cluster
    primary = cluster.primary()
    machine = {"primary": primary, "standby": 3 - primary, "third": 3}[part]
    with machines.trial(
        f"machine of the {part} cut off", seconds=FAULT_SECONDS, within=FAILOVER_SECONDS
    ) as struck:
        cluster.engine.isolate(machine)
        struck()
        time.sleep(FAULT_SECONDS)
        cluster.engine.rejoin(machine)


@pytest.mark.parametrize("part", ["primary", "standby"])
def test_a_machine_is_lost(machines: Arena, part: str) -> None:
    cluster = machines.cluster
    primary = cluster.primary()
    machine = primary if part == "primary" else 3 - primary
    with machines.trial(
        f"machine of the {part} killed", seconds=FAULT_SECONDS, within=FAILOVER_SECONDS
    ) as struck:
        containers = [named(name) for name in cluster.engine.machine(machine)]
        docker("kill", *containers)
        struck()
        time.sleep(FAULT_SECONDS)
        docker("start", *containers)


@contextmanager
def changed(cluster: Cluster, change: str, *services: str, **variables: str) -> Iterator[None]:
    """Have services run with another Compose file's changes in the block."""

    def start(change: str) -> None:
        # Compose would give a container without a source for its storage that of the one before.
        renew = ("--force-recreate", "--renew-anon-volumes")
        cluster.engine.compose(
            *("up", "--detach", "--no-deps", "--no-build", *renew, "--timeout=20", *services),
            change=change,
            **variables,
        )

    start(change)
    try:
        yield
    finally:
        start("")


@pytest.mark.parametrize("storage", ["full", "refusing", "missing"])
def test_a_machine_whose_storage_fails_leaves_the_work_to_the_other(
    machines: Arena, storage: str
) -> None:
    cluster = machines.cluster
    ((identity,),) = cluster.query("SELECT replace(id::text, '-', '') FROM installation")
    before = docker("exec", named("trigger-2"), "grep", " /storage ", "/proc/mounts")
    with (
        machines.trial(f"storage of one machine {storage}", seconds=FAULT_SECONDS),
        changed(cluster, f"storage-{storage}", "trigger-2", IDENTITY=str(identity)),
    ):
        shown = docker("exec", named("trigger-2"), "cat", "/proc/mounts", check=False)
        assert before not in shown
        time.sleep(FAULT_SECONDS)
        ((counted,),) = cluster.query(COUNTED)
    assert counted <= 1


@pytest.mark.parametrize("shift", ["+3600", "-3600", "+172800"])
def test_a_machine_whose_clock_is_wrong(machines: Arena, shift: str) -> None:
    cluster = machines.cluster
    services = [f"{name}-2" for name in OURS]
    file = ROOT / "tests/faults/cluster/clock.Dockerfile"
    docker(
        *("build", "--network=host", f"--build-arg=IMAGE={cluster.image}", f"--tag={FAKETIME}"),
        *(f"--file={file}", str(file.parent / "firewall")),
    )
    with (
        machines.trial(f"clock of one machine {shift} s", seconds=FAULT_SECONDS),
        changed(cluster, "clock", *services, SHIFT=shift),
    ):
        command = ("python", "-c", "import time; print(time.time())")
        shown = docker("exec", named("trigger-2"), *command)
        assert abs(float(shown) - time.time() - float(shift)) < 60
        time.sleep(FAULT_SECONDS)


def test_a_rolling_upgrade(machines: Arena) -> None:
    cluster = machines.cluster
    image = cluster.image
    build_before()

    def put(number: int, image: str, change: str = "") -> None:
        services = [f"{name}-{number}" for name in OURS]
        cluster.engine.compose(
            *("up", "--detach", "--no-deps", "--no-build", "--timeout=30", "--wait", *services),
            change=change,
            CLUSTER_IMAGE=image,
        )

    put(1, BEFORE, "before")
    put(2, BEFORE, "before")
    until(cluster.is_whole, "the earlier release to run")
    for number in (1, 2):
        with machines.trial(f"machine {number} upgraded", seconds=FAULT_SECONDS):
            put(number, image)


def build_before() -> None:
    """Build the image of an earlier version: the last tag, or what `UPGRADE_FROM` names."""
    found = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    version = os.environ.get("UPGRADE_FROM") or found.stdout.strip() or "HEAD~20"
    build = f"git archive {version} | docker build -q -t {BEFORE} -f local/Dockerfile -"
    subprocess.run(["bash", "-o", "pipefail", "-c", build], cwd=ROOT, check=True, timeout=900)
