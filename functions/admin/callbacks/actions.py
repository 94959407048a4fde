"""What a person can do with callbacks: send them again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from functions.admin.objects.actions import Report
from shared.ledger.replays import Choice, Replays

logger = logging.getLogger(__name__)

REPLAY_SECONDS = 20.0
"""Seconds for the slices of one request; the function itself has 29 s (template.yaml)."""


class CallbackActions:
    """Lets callbacks be delivered again.

    Args:
        replays: of the ledger.
        clock: returns monotonic seconds.
    """

    def __init__(self, replays: Replays, clock: Callable[[], float] = time.monotonic) -> None:
        self._replays = replays
        self._clock = clock

    def replay(self, choice: Choice, user: str) -> Report:
        """Let callbacks be delivered again; those that are pending already are left as they are.

        Args:
            choice: which ones.
            user: who asked for it, for the log.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        deadline = self._clock() + REPLAY_SECONDS
        number = self._replays.perform(choice, lambda: self._clock() < deadline)
        logger.info(
            "callbacks replayed",
            extra={"callbacks": number, "chosen": choice.parameters(), "user": user},
        )
        if not number:
            return Report("No callback is sent again", ok=False, lines=())
        noun = "callback is" if number == 1 else "callbacks are"
        return Report(f"{number} {noun} sent again", ok=True, lines=())
