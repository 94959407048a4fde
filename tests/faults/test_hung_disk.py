"""A disk that stops answering: calls that never return, in a process that no signal ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.servers.process import Command, Process
from local.servers.running import Running
from local.supervisor import Supervisor
from tests.faults.harness.arena import Arena
from tests.helpers.failing_disk import CannotMount, FailingDisk, run
from tests.helpers.waiting import until

pytestmark = pytest.mark.faults

OBJECTS = 40
NOTICED_SECONDS = 120.0
"""A copy without progress is reported after 60."""

ENDED_SECONDS = 420.0
"""A worker breaks off copies without progress after 300, and ends itself if that hangs, too."""

BACK_SECONDS = 12.0
"""The lease of the stack, and 10."""

STOP_SECONDS = 30.0

WRITER = "import os, sys; os.close(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY))"


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Have every write below a mount point wait, which no signal ends, for the time of a block."""
    run("fsfreeze", "--freeze", folder)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", str(folder)], check=True, timeout=60)


def parts(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10.0) as answer:
        found: dict[str, Any] = json.loads(answer.read())["parts"]
    return found


def hangs(pid: int) -> bool:
    """Return whether a thread of a process waits in the kernel, where no signal reaches it."""
    stats = Path(f"/proc/{pid}/task").glob("*/stat")
    return any(stat.read_text().rpartition(")")[2].split()[0] == "D" for stat in stats)


def test_work_goes_on_once_a_hung_disk_answers_again(arena: Arena, tmp_path: Path) -> None:
    storage = arena.stack.storage
    try:
        with (
            arena.stack.storage_on(FailingDisk.at(tmp_path, storage)),
            arena.trial("storage hangs") as trial,
        ):
            trial.send("plain", count=5)
            trial.rest()
            first = arena.stack.trigger.pid
            assert first
            with frozen(storage):
                trial.send("plain", count=OBJECTS)
                until(lambda: hangs(first), "the worker to wait for the disk")
                until(
                    lambda: parts(arena.stack.port)["worker"]["status"] == "degraded",
                    "/readyz to show that the worker is stuck",
                    NOTICED_SECONDS,
                )
                until(
                    lambda: Running.of(first) is None,
                    "the worker to end itself, as far as the kernel lets it",
                    ENDED_SECONDS,
                )
                assert hangs(first)
            trial.back()
            assert trial.recovery is not None
            assert trial.recovery < BACK_SECONDS
            trial.rest()
            assert {row.state for row in arena.stack.rows()} == {"synced"}
    except CannotMount as error:
        pytest.skip(f"cannot be mounted here: {error}")


def test_a_stop_does_not_wait_for_a_process_that_no_signal_ends(tmp_path: Path) -> None:
    try:
        with FailingDisk.at(tmp_path) as disk:
            command = Command((sys.executable, "-c", WRITER, str(disk.folder / "file")), {})
            server = Process("writer", tmp_path)
            supervisor = Supervisor(
                {"PATH": os.environ["PATH"], "DATA_DIR": str(disk.folder / "data")}
            )
            with frozen(disk.folder):
                server.start(command, None)
                supervisor.start("s3")
                supervised = supervisor.pids["s3"]
                started = server.pid
                assert started
                for pid in (started, supervised):
                    until(lambda pid=pid: hangs(pid), "a process to wait for the disk")  # type: ignore[misc] # bound now
                began = time.monotonic()
                server.stop(grace=1.0)
                supervisor.stop(1.0)
                assert time.monotonic() - began < STOP_SECONDS
                assert all(hangs(pid) for pid in (started, supervised))
            server.stop()
            supervisor.stop()
            for pid in (started, supervised):
                until(lambda pid=pid: Running.of(pid) is None, "it to end with the disk's answer")  # type: ignore[misc] # bound now
    except CannotMount as error:
        pytest.skip(f"cannot be mounted here: {error}")
