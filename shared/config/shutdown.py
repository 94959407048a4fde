"""How a process ends: what its services hold open is closed, in order."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable

logger = logging.getLogger(__name__)

STUCK = 70
"""The exit code of a process that hangs: an internal error (sysexits.h, EX_SOFTWARE)."""


_open: list[tuple[Callable[[], object], ...]] = []


def close_at_exit(*closes: Callable[[], object]) -> None:
    """Close adapters when this process exits, in the order of the arguments.

    What a composition root opens must be closed in the order of use: publishers and sources before
    the ledger.

    Args:
        closes: close one adapter each; a failure is logged and the rest are closed nevertheless.
    """
    _open.append(closes)


def close_all() -> None:
    """Close what was to be closed at the exit, now; the last opened first."""
    while _open:
        for close in _open.pop():
            try:
                close()
            except Exception:
                logger.exception("adapter not closed")


atexit.register(close_all)


def end_process(reason: str) -> None:
    """End this process at once, so that a supervisor or the platform starts a new one.

    What its threads wait for does not matter.

    Args:
        reason: for the log.
    """
    logger.critical("process ended, it hangs", extra={"reason": reason})
    os._exit(STUCK)
