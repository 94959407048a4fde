"""`make up` of a project of the tests' own, beside whatever else runs on this machine."""

from __future__ import annotations

import os
import random
import shutil
import signal
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.containers.commands import Done, run
from tests.containers.engine import docker
from tests.helpers.paths import ROOT
from tests.helpers.project import copy_project, install
from tests.helpers.servers import free_port
from tests.helpers.service import KEY, Service
from tests.helpers.waiting import until

PORTS = ("POSTGRES", "MANAGEMENT", "FUNCTIONS", "AMQP", "MEMCACHED", "S3")
UP_SECONDS = 900.0
PATIENT_SECONDS = 300.0
"""The least that is waited for anything: machines with two processors are busy."""

STRANGER = 47_110
"""A user id that no image knows."""


class Stack(Service):
    """The containers, a copy of the project, and the way to speak to them.

    Attributes:
        project: the copy's folder.
        name: of the project, as Compose has it.
        greeting: the lines that the last `make up` printed.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        super().__init__(folder, free_port(), {})
        self.name = f"ess-test-{uuid.uuid4().hex[:8]}"
        self.project = copy_project(folder / "project", installed=False)
        for name in (".env.example", "LICENSE", "docs"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.project / name)
        install(self.project)
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "COMPOSE_PROJECT_NAME": self.name,
            "SUBNET": f"172.29.{random.SystemRandom().randrange(256)}",
            "DATA_DIR": str(folder / "data"),
            "PORT": str(self.port),
            "SECRET_KEY": KEY,
            "RATE_LIMIT_GET": "off",
            "RATE_LIMIT_POST": "off",
            "UP_SECONDS": "600",
            **{f"{name}_PORT": str(free_port()) for name in PORTS},
            **variables,
        }
        plugins = Path.home() / ".docker" / "cli-plugins"
        if plugins.exists():
            shutil.copytree(plugins, folder / ".docker" / "cli-plugins")
        self._account: dict[str, Any] = {}
        self.greeting: list[str] = []
        self.own(folder)
        if os.geteuid() == 0:
            self._account = {"user": STRANGER, "group": STRANGER, "extra_groups": [_engines()]}

    @classmethod
    @contextmanager
    def made(cls, folder: Path, **variables: str) -> Iterator[Self]:
        """Yield one that is not started yet; all that it made is removed at the end."""
        stack = cls(folder, **variables)
        try:
            yield stack
        finally:
            stack.compose("down", "--volumes", "--timeout=5", "--rmi=local", check=False)

    # As `tests.helpers.service.Service` has it, so that its tests run here.

    @property
    def log(self) -> str:
        return self.compose("logs", "--no-color").text

    def start(self) -> None:
        done = self.up()
        assert done.ok, done.text
        self.greeting = done.stdout.splitlines()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if number is not signal.SIGKILL:
            return self.typed("make", "down").code
        docker("kill", *self.containers())
        return -number

    def wait_synced(self, number: int, seconds: float = PATIENT_SECONDS) -> None:
        super().wait_synced(number, max(seconds, PATIENT_SECONDS))

    def up(self, **variables: str) -> Done:
        """Type `make up`."""
        return self.typed("make", "up", seconds=UP_SECONDS, variables=variables)

    def typed(
        self,
        *command: str,
        seconds: float = 300.0,
        own: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> Done:
        """Run a command in the project's folder.

        Args:
            command: what a person types.
            seconds: how long it may take.
            own: as our own account, not as the one that started all.
            variables: of its environment.
        """
        engine = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
        return run(
            command,
            seconds=seconds,
            folder=self.project,
            environment={**self.variables, **engine, **(variables or {})},
            account=None if own else self._account,
        )

    def compose(self, *arguments: str, check: bool = True, **variables: str) -> Done:
        """Run `sh local/compose.sh`."""
        done = self.typed("sh", "local/compose.sh", *arguments, variables=variables)
        assert done.ok or not check, done.text
        return done

    def containers(self, service: str = "", *, every: bool = False) -> list[str]:
        """Return the ids of the running containers, or of all: of one service, or of any."""
        of = [f"--filter=label=com.docker.compose.project={self.name}"]
        of += [f"--filter=label=com.docker.compose.service={service}"] if service else []
        return docker("ps", "--quiet", *(["--all"] if every else []), *of).stdout.split()

    def inspect(self, service: str, template: str) -> list[str]:
        """Return what a template makes of each container of a service."""
        ids = self.containers(service)
        if not ids:  # each is just being started again
            return []
        return docker("inspect", f"--format={template}", *ids).stdout.splitlines()

    def health(self, service: str) -> set[str]:
        """Return the states of health of a service's containers."""
        return set(self.inspect(service, "{{.State.Health.Status}}"))

    def wait_healthy(self, *services: str, seconds: float = PATIENT_SECONDS) -> None:
        """Wait until each of these services is healthy."""
        for service in services:
            self.wait_health(service, "healthy", seconds)

    def wait_health(self, service: str, state: str, seconds: float) -> None:
        """Wait until all of a service's containers have a state of health."""
        until(lambda: self.health(service) == {state}, f"{service} {state}", seconds)

    def own(self, path: Path) -> None:
        """Make the account that starts all the owner of a file, or of a folder with all in it."""
        if os.geteuid() == 0:
            for each in (path, *path.rglob("*")):
                os.chown(each, STRANGER, STRANGER, follow_symlinks=False)

    def clear(self) -> None:
        """Forget all objects, and their files, while everything runs."""
        sql = "--command=TRUNCATE file_sync CASCADE"
        psql = ("exec", "--no-TTY", "postgres", "psql", "--username=sync", "--quiet", sql)
        # PostgreSQL ends one of two that wait for each other.
        until(lambda: self.compose(*psql, check=False).ok, "no object")
        until(lambda: self.counts() == (0, 0), seconds=PATIENT_SECONDS)
        for path in self.storage.rglob("*"):
            if path.is_file():
                path.unlink()


def _engines() -> int:
    """Return the group that may use the engine."""
    url = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    return Path(url.removeprefix("unix://")).stat().st_gid
