"""Where the programs of natively installed servers are."""

from __future__ import annotations

import os
import shutil

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
