"""The installation of missing servers on Debian-like machines; none of them is started by it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from local.servers import container_tools
from local.servers.errors import ProgramMissing
from local.servers.postgres import native_binaries
from local.servers.programs import find

PROGRAMS = (("rabbitmq-server", "rabbitmq-server"), ("memcached", "memcached"), ("nginx", "nginx"))
TOOLS = (
    ("chromium", "chromium"),
    ("node", "nodejs"),
    ("php", "php-cli"),
    ("faketime", "faketime"),
    ("pgbouncer", "pgbouncer"),
    ("prometheus", "prometheus"),
    ("systemd-analyze", "systemd"),
    ("wrk", "wrk"),
)
"""What tests and benchmarks use beside the servers: a browser, the languages of the clients in the
documentation, a clock that can be moved, a pooler of PostgreSQL's connections, Prometheus, which
`make monitoring` starts, what checks units of systemd, a load generator."""

# What invoke-rc.d asks before it starts a service; 101 forbids it (policy-rc.d(8)).
POLICY = Path("/usr/sbin/policy-rc.d")
FORBID = "#!/bin/sh\nexit 101\n"


def missing_packages(*, tools: bool = False) -> list[str]:
    """Return the Debian packages of the servers that are not installed.

    Args:
        tools: look for what tests and benchmarks use, too.
    """
    programs = (*PROGRAMS, *(TOOLS if tools else ()))
    lookups: list[tuple[str, Callable[[], object]]] = [("postgresql", native_binaries)]
    lookups += [(package, partial(find, program, package)) for program, package in programs]
    if tools:
        lookups.append(("php-curl", _php_curl))
    return [package for package, lookup in lookups if _fails(lookup)]


def install_containers() -> Iterator[str]:
    """Install a container engine with Compose 2 and buildx, as root; the engine is not started.

    Yields:
        What is done, a line each.

    Raises:
        ProgramMissing: something is missing that cannot be installed here.
    """
    packages, plugins = container_tools.missing_engine(), container_tools.missing_plugins()
    if not packages and not plugins:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        names = ", ".join([*packages, *plugins])
        raise ProgramMissing(f"{names}; install them, or run this as root where there is apt")
    if packages:
        yield f"installing {', '.join(packages)}"
        _install((), packages)
    plugins = container_tools.missing_plugins()
    if plugins:
        yield from container_tools.install_plugins(plugins)


def install_missing(*, tools: bool = False) -> Iterator[str]:
    """Install what is missing by apt, as root or by sudo without a password.

    The packages' own services are neither started nor enabled.

    Args:
        tools: install what tests and benchmarks use, too.

    Yields:
        What is done, a line each.

    Raises:
        ProgramMissing: something is missing that cannot be installed here.
    """
    packages = missing_packages(tools=tools)
    if not packages:
        return
    prefix = _prefix()
    if prefix is None:
        raise ProgramMissing(f"{', '.join(packages)}; install them, or use `make up`")
    yield f"installing {', '.join(packages)}"
    _install(prefix, packages)
    if Path("/run/systemd/system").exists():
        servers = {"postgresql", "pgbouncer", "prometheus", *(package for _, package in PROGRAMS)}
        services = [package for package in packages if package in servers]
        if services:
            _run(prefix, "systemctl", "disable", "--quiet", *services)
    left = missing_packages(tools=tools)
    if left:
        raise ProgramMissing(f"{', '.join(left)}, although apt installed them; use `make up`")


def _install(prefix: Sequence[str], packages: Sequence[str]) -> None:
    with _nothing_starts(prefix):
        _run(prefix, "apt-get", "update", "--quiet")
        _run(prefix, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages)


def _php_curl() -> None:
    """Raise `ProgramMissing` where PHP has no curl."""
    command = [find("php", "php-cli"), "-r", "exit((int) !extension_loaded('curl'));"]
    if subprocess.run(command, check=False).returncode != 0:
        raise ProgramMissing("PHP's extension curl (Debian package: php-curl)")


def _fails(lookup: Callable[[], object]) -> bool:
    try:
        lookup()
    except ProgramMissing:
        return True
    return False


def _prefix() -> Sequence[str] | None:
    """Return what precedes a command that needs root, or None where there is no way to be root."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return ()
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    asked = subprocess.run([sudo, "-n", "true"], capture_output=True, check=False)
    return (sudo, "-n") if asked.returncode == 0 else None


@contextmanager
def _nothing_starts(prefix: Sequence[str]) -> Iterator[None]:
    if POLICY.exists():
        yield  # the machine has its own rules; they stay
        return
    _run(prefix, "install", "-m", "755", "/dev/stdin", str(POLICY), stdin=FORBID)
    try:
        yield
    finally:
        _run(prefix, "rm", str(POLICY))


def _run(prefix: Sequence[str], *command: str, stdin: str = "") -> None:
    done = subprocess.run(
        [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *command],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = done.stdout.strip().rpartition("\n")[2]
        raise ProgramMissing(f"{command[0]} failed: {last}; install them, or use `make up`")
