"""Functions for the tests of the scheduler, and a program that runs their schedules."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from local import scheduler
from local.environment import LocalEnvironment
from local.template import load

FOLDER = Path(os.environ.get("MARKS_FOLDER", "/nonexistent"))


def mark(event: dict[str, Any], _context: Any) -> None:
    with (FOLDER / event["mark"]).open("a") as file:
        file.write(f"{time.monotonic()}\n")


def hang(event: dict[str, Any], context: Any) -> None:
    mark(event, context)
    threading.Event().wait()


def fail(event: dict[str, Any], context: Any) -> None:
    mark(event, context)
    raise ZeroDivisionError


def ends_in_order(event: dict[str, Any], context: Any) -> None:
    """Runs until its context says that there is no time left, then leaves another mark."""
    mark(event, context)
    while context.get_remaining_time_in_millis():
        time.sleep(0.01)
    mark({"mark": "ended"}, context)


if __name__ == "__main__":
    scheduler.main(LocalEnvironment(Path(), os.environ), load(Path(sys.argv[1])), stop_seconds=1.0)
