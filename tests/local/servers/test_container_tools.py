"""What of a container engine is missing, by what docker and PATH say."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.servers import container_tools
from local.servers.container_tools import missing_engine, missing_plugins
from local.servers.errors import ProgramMissing
from local.servers.packages import install_containers


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(folder: Path, name: str, script: str = "exit 0") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_each_missing_program_is_a_package(programs: Path) -> None:
    for name in ("docker", "dockerd", "debootstrap"):
        install(programs, name)
    assert missing_engine() == []
    (programs / "docker").unlink()
    # Without apt nobody knows of docker-cli, which Debian 12 does not have.
    assert missing_engine() == ["docker.io"]


def test_the_plugins_are_those_that_docker_does_not_know(programs: Path) -> None:
    assert missing_plugins() == ["docker-compose", "docker-buildx"]
    install(programs, "docker", '[ "$1" = buildx ]')
    assert missing_plugins() == ["docker-compose"]


def test_where_they_cannot_be_installed_one_line_names_them(programs: Path) -> None:
    for name in ("docker", "dockerd", "debootstrap"):
        install(programs, name)
    assert list(install_containers()) == []
    install(programs, "docker", "exit 1")
    with pytest.raises(ProgramMissing, match="docker-compose, docker-buildx; install them"):
        list(install_containers())


def test_a_machine_whose_apt_has_no_mirror_is_told(programs: Path) -> None:
    install(programs, "apt-cache", "echo")
    with pytest.raises(ProgramMissing, match="no mirror"):
        list(container_tools.install_plugins(["docker-compose"]))
