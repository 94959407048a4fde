"""The container engine that tests use: the one that docker reaches, or one of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

SECONDS = 300.0


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
