"""Commands that leave nothing running behind: not after a limit, Ctrl-C or SIGTERM either."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

END_SECONDS = 20.0


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


def run(
    command: Sequence[str],
    *,
    seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    account: Mapping[str, Any] | None = None,
) -> Done:
    """Run a command in a session of its own, which is ended with it.

    Args:
        command: a program and its arguments.
        seconds: how long it may take.
        folder: where; by default here.
        environment: all of its variables; by default ours.
        account: as `subprocess.Popen` takes it.

    Raises:
        subprocess.TimeoutExpired: it took longer.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **(account or {}),
    )
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except BaseException:
        _end(process)
        raise
    return Done(process.returncode, stdout, stdout + stderr)


def _end(process: subprocess.Popen[str]) -> None:
    # Politely at first: Compose and apt put things in order. Then whoever is left of its session.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=END_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
