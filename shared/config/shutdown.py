"""How a process ends: what its services hold open is closed, in order."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable

logger = logging.getLogger(__name__)

STUCK = 70
"""The exit code of a process that hangs: an internal error (sysexits.h, EX_SOFTWARE)."""


def close_at_exit(*closes: Callable[[], object]) -> None:
    """Close adapters when this process exits, in the order of the arguments.

    Python calls functions registered for the exit in reverse order; what a composition root opens
    must be closed in the order of use: publishers and sources before the ledger.

    Args:
        closes: close one adapter each; a failure is logged and the rest are closed nevertheless.
    """
    atexit.register(_close, closes)


def _close(closes: tuple[Callable[[], object], ...]) -> None:
    for close in closes:
        try:
            close()
        except Exception:
            logger.exception("adapter not closed")


def end_process(reason: str) -> None:
    """End this process at once, so that a supervisor or the platform starts a new one.

    What its threads wait for does not matter.

    Args:
        reason: for the log.
    """
    logger.critical("process ended, it hangs", extra={"reason": reason})
    os._exit(STUCK)
