"""What every command of this folder begins and ends with."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from shared.errors import ServiceError


def parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command's options, with those that all have.

    Args:
        name: of the target in `bench.mk`.
    """
    made = argparse.ArgumentParser(prog=f"make {name}")
    made.add_argument("--scratch", type=Path, help="folder on the disk to measure")
    return made


@contextmanager
def scratch(folder: Path | None) -> Iterator[Path]:
    """Yield a folder that is gone after the block, also if SIGTERM ends it.

    An error of the service ends the process with its text.

    Args:
        folder: where it is made; None for the system's.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logging.getLogger().setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as made:
            yield Path(made)
    except ServiceError as error:
        sys.exit(str(error))


def print_lines(lines: Iterator[str]) -> None:
    """Print lines of Markdown as they are, however narrow the terminal."""
    Console(soft_wrap=True, highlight=False).print("\n".join(lines), markup=False)
