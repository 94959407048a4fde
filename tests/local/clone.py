"""A clone of this project with its packages, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from tests.helpers.paths import ROOT


def clone(folder: Path, python: str, owner: int | None = None) -> Path:
    """Make a folder with the project's files and a `.venv` such as `make setup` leaves.

    Args:
        folder: the new folder.
        python: the interpreter of `.venv`.
        owner: user and group id that the files are given to, or None for ours. The packages
            are links to our own files and stay ours.

    Returns:
        The folder.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode()
    folder.mkdir()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    subprocess.run([python, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (folder / ".venv" / ".run").touch()  # to make, everything is installed
    if owner is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)
    (packages,) = (folder / ".venv").glob("lib/python3*/site-packages")
    shutil.copytree(
        sysconfig.get_path("purelib"),
        packages,
        symlinks=True,
        copy_function=_link,
        dirs_exist_ok=True,
    )
    return folder


def _link(source: str, target: str) -> str:
    """Link a file, which takes a hundredth of copying it; elsewhere copy it."""
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
    return target
