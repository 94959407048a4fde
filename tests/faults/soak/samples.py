"""What the processes hold, by role, over time, see proc(5)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tests.faults.harness.servers import descendants

MEBIBYTE = 1 << 20
PAGE_KIBIBYTES = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One role at one moment.

    Attributes:
        seconds: since the beginning.
        role: whose processes.
        processes: how many.
        rss: MiB resident, what several share counted in each.
        pss: MiB resident, what several share divided among them.
        fds: open file descriptors.
        queue: messages that wait; -1 where the broker did not answer.
        recorded: objects whose request was recorded so far.
        verified: objects whose file was compared so far.
    """

    seconds: int
    role: str
    processes: int
    rss: float
    pss: float
    fds: int
    queue: int
    recorded: int
    verified: int


def measure(pid: int) -> tuple[int, float, float, int]:
    """Measure a process and all below it: how many, RSS and PSS in MiB, file descriptors."""
    processes, rss, pss, fds = 0, 0.0, 0.0, 0
    for each in descendants(pid):
        try:
            memory = _memory(each)
            open_files = len(list(Path(f"/proc/{each}/fd").iterdir()))
        except OSError:  # it has ended
            continue
        processes += 1
        rss += memory.get("Rss", 0.0)
        pss += memory.get("Pss", 0.0)
        fds += open_files
    return processes, rss, pss, fds


class Samples:
    """Takes samples.

    Args:
        roles: names and what returns the process id, None while there is no process.
    """

    def __init__(self, roles: Mapping[str, Callable[[], int | None]]) -> None:
        self.taken: list[Sample] = []
        self._roles = roles

    def take(self, seconds: float, queue: int, recorded: int, verified: int) -> None:
        """Take one of each role that runs; see `Sample`."""
        for role, process in self._roles.items():
            if (pid := process()) is None:
                continue
            processes, rss, pss, fds = measure(pid)
            if processes:
                sizes = round(rss, 1), round(pss, 1)
                sample = Sample(
                    round(seconds), role, processes, *sizes, fds, queue, recorded, verified
                )
                self.taken.append(sample)

    def write(self, file: Path) -> None:
        """Write them as CSV."""
        with file.open("w", newline="") as out:
            rows = csv.DictWriter(out, [f.name for f in fields(Sample)], lineterminator="\n")
            rows.writeheader()
            rows.writerows(asdict(sample) for sample in self.taken)


def of_role(samples: Iterable[Sample], role: str) -> list[Sample]:
    """Return the samples of one role."""
    return [sample for sample in samples if sample.role == role]


def _memory(pid: int) -> dict[str, float]:
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        found[name] = int(value.split()[0]) / PAGE_KIBIBYTES
    return found
