"""What processes cost: processor time and memory, from /proc (see proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat, counted from the one after the program's name.
_PARENT, _TIMES = 1, slice(11, 13)


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    children: dict[int, list[int]] = {}
    for child, fields in _all():
        children.setdefault(int(fields[_PARENT]), []).append(child)
    found = [pid]
    for process in found:
        found += children.get(process, [])
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time, user and system, of a process and all below it."""
    mine = set(tree(pid))
    return sum(sum(map(int, f[_TIMES])) for child, f in _all() if child in mine) / _TICKS


def busy_seconds() -> float:
    """Return the processor time of everything on this machine since it started."""
    fields = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, io_wait = fields[3], fields[4]
    return (sum(fields) - idle - io_wait) / _TICKS


def peak_mebibytes(pid: int) -> float:
    """Return the most memory that a process ever had resident, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def _all() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # it has ended
                continue
            yield int(entry.name), text.rpartition(")")[2].split()
