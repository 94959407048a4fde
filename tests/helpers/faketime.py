"""libfaketime, which gives a process another clock."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.missing import missing

LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)


def library() -> str:
    """Return the path of the library; where there is none, the test is skipped."""
    found = next((path for path in LIBRARIES if Path(path).exists()), None)
    if found is None:
        missing("libfaketime (Debian package: faketime)")
    return found
