"""A process that is there but does nothing, as under a debugger or on a machine that swaps."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.helpers.waiting import until


@contextlib.contextmanager
def frozen(*pids: int | None) -> Iterator[None]:
    """Freeze processes for the length of the block."""
    known = [pid for pid in pids if pid is not None]
    assert len(known) == len(pids)
    try:
        for pid in known:
            os.kill(pid, signal.SIGSTOP)
            # The signal takes effect a moment later, thread by thread.
            until(partial(_all_stopped, pid))
        yield
    finally:
        for pid in known:
            os.kill(pid, signal.SIGCONT)


def children(pid: int | None) -> list[int]:
    """Return the processes that a process started."""
    return [
        int(child) for task in _tasks(pid or 0) for child in (task / "children").read_text().split()
    ]


def _all_stopped(pid: int) -> bool:
    return all(_stopped(task) for task in _tasks(pid))


def _tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def _stopped(task: Path) -> bool:
    state = (task / "stat").read_text().rpartition(")")[2].split()[0]
    return state in {"T", "t"}
