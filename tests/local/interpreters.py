"""Running our Python as another account, as root can."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

NOBODY = 65_534  # user and group of that number exist on every Linux, and own nothing


def as_account(uid: int, *command: str) -> list[str]:
    """Return a command line that runs a command as an account, its own group the only one."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", *command]


def reachable_python(uid: int) -> str:
    """Return a Python of our own version that an account can execute.

    The interpreter of the tests may lie in a folder that only root may enter. Where there is no
    other the test is skipped.
    """
    version = "{}.{}".format(*sys.version_info[:2])
    # It starts itself, as the local runtime does.
    ask = (
        "import subprocess, sys; subprocess.run([sys.executable, '-I', '-c', "
        "'import sys; print(\"{}.{}\".format(*sys.version_info[:2]))'])"
    )
    for name in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        if shutil.which(name):
            done = subprocess.run(
                as_account(uid, name, "-I", "-c", ask),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=False,
                cwd="/",
            )
            if done.stdout.strip() == version:
                return name
    pytest.skip(f"no Python {version} that user id {uid} can execute")
