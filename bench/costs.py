"""What a file costs each part: processor time, PostgreSQL's commits and log, the disk's flushes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import ledgers
from bench.processes import cpu_seconds

# Fields of /proc/diskstats behind the device's name (Linux, Documentation/admin-guide/iostats.rst).
_FLUSHES = 15

LOG = """
SELECT pg_current_wal_lsn() - '0/0', xact_commit
  FROM pg_stat_database WHERE datname = current_database()
"""
LOG_SYNCS = "SELECT wal_sync FROM pg_stat_wal"
LOG_SYNCS_18 = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
"""PostgreSQL 18 counts them with all its other I/O."""

CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What has been used so far.

    Attributes:
        cpu: seconds of processor time, by part.
        wal_bytes: of PostgreSQL's write-ahead log.
        wal_syncs: times that it was synced to disk.
        commits: of the ledger's database.
        flushes: of the disk's cache, whoever asked for them.
    """

    cpu: Mapping[str, float]
    wal_bytes: float
    wal_syncs: float
    commits: float
    flushes: float

    @classmethod
    def take(cls, url: str, processes: Mapping[str, Sequence[int]], folder: Path) -> Reading:
        """Read everything.

        Args:
            url: of the ledger.
            processes: the ids of each part's processes; all below them count, too.
            folder: on the disk that is looked at.
        """
        cpu = {part: sum(map(cpu_seconds, pids)) for part, pids in processes.items()}
        ((wal_bytes, commits),) = ledgers.execute(url, LOG)
        ((version,),) = ledgers.execute(url, "SHOW server_version_num")
        syncs = LOG_SYNCS_18 if int(version) >= 180_000 else LOG_SYNCS  # noqa: PLR2004
        ((wal_syncs,),) = ledgers.execute(url, syncs)
        return cls(cpu, float(wal_bytes), float(wal_syncs), float(commits), _flushes(folder))

    def since(self, before: Reading) -> Reading:
        """Return what was used since an earlier reading."""
        return Reading(
            {part: seconds - before.cpu[part] for part, seconds in self.cpu.items()},
            self.wal_bytes - before.wal_bytes,
            self.wal_syncs - before.wal_syncs,
            self.commits - before.commits,
            self.flushes - before.flushes,
        )


def connections(url: str) -> int:
    """Return how many connections others have to the ledger."""
    ((number,),) = ledgers.execute(url, CONNECTIONS)
    return int(number)


def _flushes(folder: Path) -> float:
    """Return how often the disk below a folder was told to empty its cache; 0 if unknown."""
    device = folder.stat().st_dev
    wanted = (str(os.major(device)), str(os.minor(device)))
    for line in Path("/proc/diskstats").read_text().splitlines():
        major, minor, _, *fields = line.split()
        if (major, minor) == wanted and len(fields) > _FLUSHES:
            return float(fields[_FLUSHES])
    return 0.0
