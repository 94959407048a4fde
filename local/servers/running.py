"""Processes recognized by their start time, so that no other process is ever signaled."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Running:
    """A process, told apart from a later one of the same number by when it started.

    Attributes:
        pid: process id.
        started: when it started, in the form that the system has.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return the live process of that number, or None."""
        started = _started(pid)
        return cls(pid, started) if started else None

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return _started(self.pid) == self.started

    def signal(self, number: int) -> None:
        """Send it a signal; a process that is gone is no error."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_group(self) -> None:
        """Kill it and what it left behind, such as the workers of a master that died.

        Every server leads a process group of its own. The system gives no process the number
        of a group that still has members, so a group whose leader is gone is still ours.
        """
        leader = _started(self.pid)
        if leader in {None, self.started}:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Record:
    """A started server on file, for the process that has to stop it later.

    Attributes:
        server: the server's process.
        owner: the process it must not outlive, or None where it stays by itself.
    """

    server: Running
    owner: Running | None

    def save(self, path: Path) -> None:
        """Write it whole, or not at all."""
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Return what `save` wrote; None where there is no readable file."""
        try:
            content = json.loads(path.read_text())
            owner = content["owner"]
            return cls(Running(**content["server"]), Running(**owner) if owner else None)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _started(pid: int) -> str | None:
    """Return the start time of a live process, or None; a zombie has ended."""
    if Path("/proc/self/stat").exists():
        try:
            # The name, second, may hold anything; the state is third, the start 22nd (proc(5)).
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if after_name[0] in "ZX" else after_name[19]
    shown = subprocess.run(
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    ).stdout.strip()
    return None if not shown or shown.startswith("Z") else shown.partition(" ")[2]
