"""The images that the containers are made of: pulled, or where no registry is, built from Debian's.

    python -m tests.containers.stand_ins

`tests/containers/images/README.md` says how the built ones differ.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.containers.commands import run
from tests.containers.engine import docker
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT

IMAGES = Path(__file__).parent / "images"
SUITE = "forky"
BASE = f"external-storage-sync-debian:{SUITE}"
LOCK = Path(tempfile.gettempdir()) / "external-storage-sync-stand-ins.lock"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
PULL_SECONDS = 600.0
BUILD_SECONDS = 1200.0
APT = """\
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "false";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false"; // a mirror may be a copy of some weeks ago
"""
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale")
OF_PIP = ("index-url", "proxy", "trusted-host")
"""What pip needs to know of this machine's way to packages."""


def wanted() -> list[str]:
    """Return the images that the project's files name, each with its tag."""
    texts = [(ROOT / "local" / name).read_text() for name in ("Dockerfile", "docker-compose.yml")]
    pattern = r"^(?:FROM| +image:) ([a-z]+:\S+)$"
    return sorted({name for text in texts for name in re.findall(pattern, text, re.MULTILINE)})


def provide(*images: str) -> Iterator[str]:
    """Make sure that images are there.

    Args:
        images: their names, `debian:SUITE` or of those in `images`; by default all of `wanted`.

    Yields:
        What was done, a line each.
    """
    # Two runs at the same time would build all of them twice.
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        can_pull = True
        for image in images or wanted():
            if _is_there(image):
                continue
            if can_pull and docker("pull", "--quiet", image, check=False, seconds=PULL_SECONDS).ok:
                yield f"pulled {image}"
                continue
            can_pull = False
            yield from _build(image)


def _build(image: str) -> Iterator[str]:
    name, _, tag = image.partition(":")
    if name == "debian":
        _import_debian(tag, image)
        yield f"made {image}"
        return
    if not _is_there(BASE):
        _import_debian(SUITE, BASE)
        yield f"made {BASE}"
    version = re.match(r"[0-9.]+", tag)
    arguments = {"BASE": BASE, "VERSION": version[0] if version else ""}
    arguments |= {name: os.environ[name] for name in _proxies()}
    given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    docker("build", f"--tag={image}", *given, str(IMAGES / name), seconds=BUILD_SECONDS)
    yield f"built {image}"


def _is_there(image: str) -> bool:
    return docker("image", "inspect", image, check=False).ok


def _proxies() -> list[str]:
    names = ("http_proxy", "https_proxy", "no_proxy")
    return [name for name in os.environ if name.lower() in names]


def _import_debian(suite: str, image: str) -> None:
    """Make a base image of a suite of Debian, which trusts what this machine trusts."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        missing("a registry of images, or debootstrap and root to build stand-ins")
    with tempfile.TemporaryDirectory(prefix="stand-ins-") as folder:
        root = Path(folder) / "root"
        scripts = Path("/usr/share/debootstrap/scripts")
        # A suite that this debootstrap does not know yet is made as sid is.
        script = scripts / (suite if (scripts / suite).exists() else "sid")
        _run(
            # Its mounts are gone with it, however it ends.
            *("unshare", "--mount", "env", "DPKG_FORCE=unsafe-io"),
            *("debootstrap", "--variant=minbase", "--include=ca-certificates"),
            *(suite, str(root), _mirror(), str(script)),
        )
        (root / "etc/apt/apt.conf.d/docker").write_text(APT)
        # As the official one: a build that a power cut ends is thrown away.
        (root / "etc/dpkg/dpkg.cfg.d/docker").write_text("force-unsafe-io\n")
        (root / "etc/pip.conf").write_text(_pip_configuration())
        if AUTHORITIES.exists():
            shutil.copy(AUTHORITIES, root / str(AUTHORITIES).lstrip("/"))
        for unused in ("var/cache/apt/archives", "var/lib/apt/lists", *UNUSED):
            shutil.rmtree(root / unused, ignore_errors=True)
        archive = Path(folder) / "root.tar"
        _run("tar", "--directory", str(root), "--create", "--file", str(archive), ".")
        docker("import", '--change=CMD ["bash"]', str(archive), image)


def _mirror() -> str:
    """Return the mirror of this machine's apt."""
    policy = _run("apt-cache", "policy")
    mirrors: list[str] = re.findall(r" (https?://\S+) \S+/main ", policy)
    return next(mirror for mirror in mirrors if "security" not in mirror)


def _pip_configuration() -> str:
    lines = ["[global]", f"cert = {AUTHORITIES}"]
    for name in OF_PIP:
        found = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", f"global.{name}"],
            capture_output=True,
            text=True,
            check=False,
        )
        value = os.environ.get(f"PIP_{name.upper().replace('-', '_')}", found.stdout.strip())
        if value:
            lines.append(f"{name} = {value}")
    return "\n".join([*lines, ""])


def _run(*command: str) -> str:
    done = run(command, seconds=BUILD_SECONDS)
    assert done.ok, f"{command[0]}: {done.text[-2000:]}"
    return done.stdout


if __name__ == "__main__":
    for line in provide():
        print(line, flush=True)  # noqa: T201 # a program
