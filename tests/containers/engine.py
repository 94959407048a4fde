"""The container engine that tests use: the one that docker reaches, or one of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.containers.commands import Done, run
from tests.containers.host_network import put_back
from tests.helpers.missing import missing
from tests.helpers.waiting import NotInTime, until

SECONDS = 300.0
START_SECONDS = 120.0
STOP_SECONDS = 120.0
OWN = "CONTAINERS_ENGINE"
"""With `own` in this variable of the environment the tests start an engine in any case."""


def docker(
    *arguments: str,
    check: bool = True,
    seconds: float = SECONDS,
    variables: Mapping[str, str] | None = None,
) -> Done:
    """Run docker.

    Args:
        arguments: its arguments.
        check: whether it has to succeed.
        seconds: how long it may take.
        variables: of its environment, added to this process's.
    """
    environment = {**os.environ, "DOCKER_BUILDKIT": "1", **(variables or {})}
    done = run(["docker", *arguments], seconds=seconds, environment=environment)
    assert not check or done.ok, f"docker {arguments[0]}: {done.text}"
    return done


class OwnEngine:
    """An engine with its data in a folder of its own.

    Args:
        folder: for its data, socket and log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers, as DOCKER_HOST takes it."""
        return f"unix://{self._folder / 'docker.sock'}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        data, run = self._folder / "data", self._folder / "run"
        options = [f"--data-root={data}", f"--exec-root={run}", f"--host={self.url}"]
        pid_file = self._folder / "docker.pid"
        pid_file.unlink(missing_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                # If we are killed, it ends with us.
                ["setpriv", "--pdeathsig=TERM", "dockerd", *options, f"--pidfile={pid_file}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, "the container engine", seconds=START_SECONDS)

    def stop(self) -> None:
        """Stop it, and the containers with it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill(())
        self._unmount()

    def crash(self) -> None:
        """Kill it and every process of every container at once, as a machine that loses power."""
        assert self._process is not None
        ids = docker("ps", "--quiet").stdout.split()
        template = "--format={{.State.Pid}}"
        pids = docker("inspect", template, *ids).stdout.split()
        inside = [int(pid) for pid in pids if pid != "0"]  # 0 is just being started again
        shims = [_parent(pid) for pid in inside]
        self._kill((*inside, *shims))
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in inside))

    def _kill(self, others: Sequence[int]) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *_children(self._process.pid), *others):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(60.0)

    def _unmount(self) -> None:
        # One that was killed leaves file systems of containers mounted. The last one first.
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for mount in reversed(mounts):
            if Path(mount).is_relative_to(self._folder):
                subprocess.run(["umount", "--lazy", mount], check=False)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
        return docker("info", check=False, variables={"DOCKER_HOST": self.url}).ok


@contextmanager
def engine() -> Iterator[OwnEngine | None]:
    """Provide an engine that docker reaches: the machine's, or where none is one of our own.

    Yields:
        Our own, None for the machine's.
    """
    if shutil.which("docker") is None:
        missing("docker (make install-containers)")
    if os.environ.get(OWN) != "own" and docker("info", check=False).ok:
        yield None
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        missing("a container engine that docker reaches, or dockerd and root to start one")
    # An earlier run that was interrupted may still be ending its own.
    with suppress(NotInTime):
        until(lambda: not _others())
    if _others():
        missing("DOCKER_HOST of the engine that runs here: two would take each other's networks")
    # Not below /tmp, which may be in memory: images take some gigabytes.
    with (
        put_back(),
        tempfile.TemporaryDirectory(
            dir="/var/tmp", prefix="engine-", ignore_cleanup_errors=True
        ) as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        Path(name).chmod(0o711)  # other accounts reach the socket
        own = OwnEngine(Path(name))
        try:
            own.start()
            patch.setenv("DOCKER_HOST", own.url)
            yield own
        finally:
            own.stop()


def _others() -> bool:
    """Return whether an engine runs in our network namespace, whose rules a second one resets."""
    here = Path("/proc/self/ns/net").readlink()
    for name in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if name.read_text() == "dockerd\n" and (name.parent / "ns/net").readlink() == here:
                return True
    return False


def _parent(pid: int) -> int:
    # The fields after the name, which ends with the last parenthesis (proc(5)).
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children")
    tasks = Path(f"/proc/{pid}/task").glob("*/children") if text.exists() else ()
    return [int(child) for task in tasks for child in task.read_text().split()]
