"""A copy of the project, installed, in a folder of the test's own."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.helpers.paths import ROOT

PARTS = (
    "Makefile",
    "aws",
    "bench",
    "functions",
    "local",
    "pyproject.toml",
    "requirements",
    "samconfig.toml",
    "shared",
    "sync",
    "template.yaml",
    "tests",
)


def copy_project(folder: Path, *, installed: bool = True) -> Path:
    """Copy what the commands need to run, without anyone's settings and data.

    Args:
        folder: where to put it; made here.
        installed: whether it has a `.venv`, that of the tests, as `make setup` leaves one.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(
                source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "docs")
            )
        else:
            shutil.copy(source, folder / part)
    if installed:
        install(folder)
    return folder


def install(folder: Path) -> None:
    """Leave a `.venv` in a folder as `make setup` does, with the packages of the tests."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for program in ("python", "python3"):
        (programs / program).symlink_to(sys.executable)
    for part in ("lib", "pyvenv.cfg"):
        (folder / ".venv" / part).symlink_to(Path(sys.prefix) / part)
    for mark in (".run", ".dev", ".bench"):
        (folder / ".venv" / mark).touch()


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a command that is typed by someone with no settings."""
    return {"PATH": os.environ["PATH"], "HOME": os.devnull, "LANG": "C.UTF-8", **variables}
