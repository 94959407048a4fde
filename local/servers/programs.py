"""Where the programs of natively installed servers are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

from local.servers.errors import ProgramMissing

# Debian keeps some servers where an ordinary account's PATH does not look.
FURTHER_PLACES = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/sbin",
    "/opt/homebrew/sbin",
    "/opt/homebrew/bin",
)


def find(program: str, package: str) -> str:
    """Return the absolute path of a program.

    Args:
        program: its file name.
        package: the Debian package that it comes with.

    Raises:
        ProgramMissing: it is not on PATH or where servers are usually put.
    """
    path = shutil.which(program) or shutil.which(program, path=os.pathsep.join(FURTHER_PLACES))
    if path is None:
        raise ProgramMissing(f"{program} (Debian package: {package})")
    return path


def missing(programs: Mapping[str, str]) -> list[str]:
    """Return what to say of each program that is not installed.

    Args:
        programs: their file names, and the Debian package that each comes with.
    """
    texts = []
    for program, package in programs.items():
        try:
            find(program, package)
        except ProgramMissing as error:
            texts.append(error.about)
    return texts


def require(missing: Sequence[str]) -> None:
    """Check that nothing is missing.

    Raises:
        ProgramMissing: something is; its one line names everything and says how to install it.
    """
    if missing:
        raise ProgramMissing(f"{', '.join(missing)}; install with make install-servers")
