"""The container engine that tests use: the one that docker reaches, or one of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.missing import missing
from tests.helpers.waiting import until

SECONDS = 300.0
START_SECONDS = 60.0
OWN = "CONTAINERS_ENGINE"
"""With `own` in this variable of the environment the tests start an engine in any case."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did.

    Attributes:
        code: its exit code.
        stdout: what it printed.
        text: the same with its errors.
    """

    code: int
    stdout: str
    text: str

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.code == 0


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
    done = subprocess.run(
        ["docker", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        env={**os.environ, "DOCKER_BUILDKIT": "1", **(variables or {})},
    )
    assert not check or done.returncode == 0, f"docker {arguments[0]}: {done.stdout}{done.stderr}"
    return Done(done.returncode, done.stdout, done.stdout + done.stderr)


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
                ["dockerd", *options, f"--pidfile={pid_file}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, "the container engine", seconds=START_SECONDS)

    def stop(self) -> None:
        """Stop it, and the containers with it."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(120.0)

    def crash(self) -> None:
        """Kill it and every process of every container at once, as a machine that loses power."""
        assert self._process is not None
        ids = docker("ps", "--quiet").stdout.split()
        template = "--format={{.State.Pid}}"
        inside = [int(pid) for pid in docker("inspect", template, *ids).stdout.split()]
        shims = [_parent(pid) for pid in inside]
        for pid in (self._process.pid, *_children(self._process.pid), *inside, *shims):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(60.0)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in inside))

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
    if _others():
        missing("DOCKER_HOST of the engine that runs here: two would take each other's networks")
    # Not below /tmp, which may be in memory: images take some gigabytes.
    with tempfile.TemporaryDirectory(
        dir="/var/tmp", prefix="engine-", ignore_cleanup_errors=True
    ) as name:
        Path(name).chmod(0o711)  # other accounts reach the socket
        own = OwnEngine(Path(name))
        own.start()
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = own.url
        try:
            yield own
        finally:
            if before is None:
                del os.environ["DOCKER_HOST"]
            else:
                os.environ["DOCKER_HOST"] = before
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
