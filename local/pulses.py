"""Pulses: files whose times say when a process last did its work, for a container's health check.

The ledger's heartbeats tell people the same, but not without PostgreSQL, and an idle worker sends
none. A process that hangs or is stopped leaves its file as it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path


def pulse(folder: Path | None, name: str) -> Callable[[], None]:
    """Return what sets the time of a file; it makes the folder, but no file before it is called.

    Args:
        folder: where the file is; None for a pulse that does nothing.
        name: of the file.

    Raises:
        OSError: the folder cannot be made.
    """
    if folder is None:
        return lambda: None
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name

    def beat() -> None:
        with contextlib.suppress(OSError):  # the check then reports what is true: no pulse
            file.touch()

    return beat
