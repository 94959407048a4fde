"""Comparing versions, and checking those of the installed Python packages."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from local.doctor.finding import Finding, ok, problem, warning

PYTHON = (3, 11)
LOCK = Path(__file__).parents[2] / "requirements" / "run.txt"

_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)( *;)?", re.MULTILINE)


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's leading numbers: ``4.1.0-rc.1`` is (4, 1, 0)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def packages(lock: Path = LOCK) -> Iterator[Finding]:
    """Compare the installed packages with the locked ones."""
    if sys.version_info < PYTHON:
        needed = ".".join(map(str, PYTHON))
        yield problem("Python", f"{sys.version.split()[0]}", f"install Python {needed} or newer")
    older, missing, checked = [], [], 0
    for name, locked, condition in _LOCKED.findall(lock.read_text(encoding="utf-8")):
        checked += 1
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if not condition:  # a package for another platform
                missing.append(name)
            continue
        if numbers(found) < numbers(locked):
            older.append(f"{name} {found}, {locked} is locked")
    if missing:
        yield problem("packages", f"missing: {', '.join(missing)}", "run make setup")
    if older:
        yield warning("packages", f"older than locked: {'; '.join(older)}", "run make setup")
    if not missing and not older:
        yield ok("packages", f"{checked} as locked or newer, Python {sys.version.split()[0]}")
