"""A machine of the tests' own: a container with systemd as its first process."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.containers.engine import docker
from tests.containers.stand_ins import provide
from tests.helpers.paths import ROOT
from tests.helpers.project import copy_project
from tests.helpers.waiting import until

IMAGE = "external-storage-sync-systemd"
DOCKERFILE = Path(__file__).parent / "systemd" / "Dockerfile"
RUN = (
    # systemd mounts; the test looks into its services, and makes a network without a way out.
    *("--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN", "--cap-add=SYS_PTRACE"),
    *("--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"),
    *("--cgroupns=private", "--network=none", "--tmpfs=/run", "--tmpfs=/run/lock"),
    "--env=container=docker",
)
BUILD_SECONDS = 1200.0
START_SECONDS = 120.0


class Box:
    """A running container, reached by `docker exec`.

    Args:
        name: of the container.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    @classmethod
    @contextmanager
    def started(cls, folder: Path) -> Iterator[Self]:
        """Build the image, start a container, and put the project into its `/src`; it is
        removed at the end.

        Args:
            folder: an empty one, for what is copied.
        """
        list(provide("debian:bookworm"))
        context = folder / "image"
        context.mkdir()
        for file in (DOCKERFILE, ROOT / "requirements" / "run.txt"):
            shutil.copy(file, context)
        docker("build", "--network=host", f"--tag={IMAGE}", str(context), seconds=BUILD_SECONDS)
        box = cls(f"{IMAGE}-{uuid.uuid4().hex[:8]}")
        project = copy_project(folder / "src", installed=False)
        for name in (".env.example", "LICENSE"):
            shutil.copy(ROOT / name, project)
        docker("run", "--detach", f"--name={box._name}", *RUN, IMAGE)
        try:
            docker("cp", f"{project}/.", f"{box._name}:/src")
            box.wait_started()
            yield box
        finally:
            docker("rm", "--force", "--volumes", box._name)

    def run(self, script: str, *, code: int | None = 0, **variables: str) -> str:
        """Run a script in bash, in `/src` as root.

        Args:
            script: what a person would type.
            code: the exit code that is expected; None for any.
            variables: of its environment.

        Returns:
            What it printed, errors included.
        """
        given = [f"--env={name}={value}" for name, value in variables.items()]
        bash = ["bash", "-euo", "pipefail", "-c", f"exec 2>&1; {script}"]
        done = docker("exec", "--workdir=/src", *given, self._name, *bash, check=False)
        assert code in {None, done.code}, f"{script}\n{done.code}: {done.text}"
        return done.text

    def wait_started(self) -> None:
        """Wait until systemd has started what it was to start."""
        script = "systemctl is-system-running || true"
        until(
            lambda: self.run(script, code=None).strip() in {"running", "degraded"},
            seconds=START_SECONDS,
        )

    def restart(self) -> None:
        """Shut the machine down in order, and boot it again."""
        docker("restart", "--time=120", self._name, seconds=180.0)
