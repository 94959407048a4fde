"""A container engine, Compose 2 and buildx, for tests: Debian's packages, installed by apt.

Debian 12 has Compose 1 alone, which reads another language. There the two plugins are taken out of
the next release's packages, into the folder for plugins that no package owns: apt's sources stay as
they are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.servers.errors import ProgramMissing

ENGINE = (("docker", "docker-cli"), ("dockerd", "docker.io"), ("debootstrap", "debootstrap"))
"""Programs, and their Debian packages; up to Debian 12 `docker` is in docker.io."""

PLUGINS = {"compose": "docker-compose", "buildx": "docker-buildx"}
"""Subcommands of docker, and the packages of trixie, Debian 13, that add them."""

SUITE = "trixie"
FOLDER = Path("/usr/local/lib/docker/cli-plugins")
"""Where docker looks besides the home and its packages (Docker guide, "CLI plugins")."""


def missing_engine() -> list[str]:
    """Return the packages of the engine whose programs are not installed."""
    sbin = "/usr/sbin:/sbin"
    names = [
        package
        for program, package in ENGINE
        if not (shutil.which(program) or shutil.which(program, path=sbin))
    ]
    return ["docker.io" if n == "docker-cli" and not _candidate(n) else n for n in names]


def missing_plugins() -> list[str]:
    """Return the packages of the plugins that docker does not have."""
    return [package for name, package in PLUGINS.items() if not _has_plugin(name)]


def install_plugins(packages: list[str]) -> Iterator[str]:
    """Take plugins out of packages of Debian's next release, as root.

    Args:
        packages: their names.

    Yields:
        What was done, a line each.

    Raises:
        ProgramMissing: apt has no mirror, or they cannot be taken out.
    """
    with tempfile.TemporaryDirectory(prefix="container-tools-") as name:
        folder = Path(name)
        apt = _apt(folder)
        _run(folder, *apt, "update", "--quiet")
        for package in packages:
            _run(folder, *apt, "download", "--quiet", package)
        for archive in folder.glob("*.deb"):
            _run(folder, "dpkg-deb", "--extract", str(archive), str(folder / "extracted"))
        FOLDER.mkdir(parents=True, exist_ok=True)
        for plugin in (folder / "extracted").glob("usr/libexec/docker/cli-plugins/docker-*"):
            shutil.copy(plugin, FOLDER)
            yield f"installed {FOLDER / plugin.name}"
    left = missing_plugins()
    if left:
        raise ProgramMissing(f"{', '.join(left)}, although {SUITE} has them")


def _has_plugin(name: str) -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    done = subprocess.run([docker, name, "version"], capture_output=True, check=False)
    return done.returncode == 0


def _candidate(package: str) -> bool:
    """Return whether apt could install a package."""
    if shutil.which("apt-cache") is None:
        return False
    text = _run(Path("/"), "apt-cache", "policy", package)
    found = re.search(r"Candidate: (\S+)", text)
    return found is not None and found[1] != "(none)"


def _apt(folder: Path) -> list[str]:
    """Return apt-get with one source, and its lists, in a folder of their own."""
    mirrors: list[str] = re.findall(
        r" (https?://\S+) \S+/main ", _run(folder, "apt-cache", "policy")
    )
    mirror = next((url for url in mirrors if "security" not in url), None)
    if mirror is None:
        raise ProgramMissing("apt has no mirror of Debian; install Docker and its plugin Compose 2")
    (folder / "sources.list").write_text(f"deb {mirror} {SUITE} main\n")
    (folder / "lists" / "partial").mkdir(parents=True)
    options = {
        "Dir::Etc::SourceList": str(folder / "sources.list"),
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": str(folder / "lists"),
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",  # which alone may write here
    }
    return ["apt-get", *(f"--option={name}={value}" for name, value in options.items())]


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = done.stdout.strip().rpartition("\n")[2]
        raise ProgramMissing(
            f"{command[0]} failed: {last}; install Docker and its plugin Compose 2"
        )
    return done.stdout
