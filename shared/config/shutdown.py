"""How a process ends: what its services hold open is closed, in order."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)


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
