"""Triggers in containers, each with a share of a core."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 120.0
"""Time limit of one command."""

CONFINED = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp:rw,nosuid,nodev,noexec,mode=1777,size=256m",
)
"""As in docs/examples: nothing is written but the storage and /tmp."""


def docker(*arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """Run docker and return what it prints.

    Args:
        arguments: its arguments.
        variables: of its environment, added to this process's.

    Raises:
        AssertionError: it failed; the text is what it printed.
    """
    done = subprocess.run(
        ["docker", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, **(variables or {})},
    )
    if done.returncode:
        raise AssertionError(f"docker {arguments[0]}: {done.stderr or done.stdout}")
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Triggers:
    """Triggers that run.

    Attributes:
        names: of their containers.
        pids: of their processes, as this machine counts them.
    """

    names: Sequence[str]
    pids: Sequence[int]

    def limit(self, cpus: float) -> None:
        """Give each of them a share of a core from now on; starting would take long with it."""
        docker("update", f"--cpus={cpus}", *self.names)


@contextmanager
def triggers(
    image: str, number: int, variables: Mapping[str, str], storage: Path
) -> Iterator[Triggers]:
    """Run triggers that share this machine's network.

    Args:
        image: of `local/Dockerfile`.
        number: how many.
        variables: their settings.
        storage: the folder that they write to; their account is this process's.
    """
    inside = {**variables, "STORAGE_PATH": "/storage", "DATA_DIR": "/tmp/local"}  # noqa: S108
    del inside["PATH"]
    with ExitStack() as started:
        names = [f"bench-trigger-{os.getpid()}-{n + 1}" for n in range(number)]
        for name in names:
            started.callback(docker, "rm", "--force", name)
            # A variable without a value is taken from docker's own: no secret is in a command line.
            settings = [part for key in inside for part in ("--env", key)]
            docker(
                "run",
                "--detach",
                f"--name={name}",
                "--network=host",
                f"--user={os.geteuid()}:{os.getegid()}",
                *CONFINED,
                f"--volume={storage}:/storage",
                *settings,
                image,
                "./sync",
                "trigger",
                "--pulses",
                "/tmp/pulses",  # noqa: S108 # in the container
                variables=inside,
            )
        pids = [int(docker("inspect", "--format={{.State.Pid}}", name)) for name in names]
        yield Triggers(names, pids)
