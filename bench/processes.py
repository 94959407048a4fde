"""What processes cost: processor time and memory, from /proc (see proc(5))."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat, counted from the one after the program's name.
_PARENT, _TIMES = 1, slice(11, 15)


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    children: dict[int, list[int]] = {}
    for child, fields in _all():
        children.setdefault(int(fields[_PARENT]), []).append(child)
    found = [pid]
    for process in found:
        found += children.get(process, [])
    return found


def children(pid: int) -> list[int]:
    """Return the processes that a process started and that run, in the order of their ids."""
    return sorted(child for child, fields in _all() if int(fields[_PARENT]) == pid)


def arguments(pid: int) -> list[str]:
    """Return the command line of a process.

    Raises:
        OSError: it has ended.
    """
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def cpu_seconds(pid: int) -> float:
    """Return the processor time, user and system, of a process and all below it."""
    return cpu_seconds_of(tree(pid))


def cpu_seconds_of(processes: Collection[int]) -> float:
    """Return the processor time of some processes, and of their children that have ended."""
    return sum(sum(map(int, f[_TIMES])) for pid, f in _all() if pid in processes) / _TICKS


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


@dataclass(frozen=True, slots=True)
class Memory:
    """What processes have in memory, in MiB.

    Attributes:
        resident: RSS, in which pages that several processes share count for each.
        proportional: PSS, in which they count by their share: these can be added up.
    """

    resident: float
    proportional: float

    @classmethod
    def of(cls, processes: Collection[int]) -> Self:
        """Read that of some processes from smaps_rollup."""
        totals = {"Rss:": 0, "Pss:": 0}
        for pid in processes:
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:  # it has ended
                continue
            for line in text.splitlines():
                name, *numbers = line.split()
                if name in totals:
                    totals[name] += int(numbers[0])
        return cls(totals["Rss:"] / 1024, totals["Pss:"] / 1024)


def _all() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # it has ended
                continue
            yield int(entry.name), text.rpartition(")")[2].split()
