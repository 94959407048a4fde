"""Is the receiver away as a whole? Then nothing is attempted but a probe, and nothing counts.

It is one of the pauses in the ledger, see `shared.pausing`, of a part of its own: objects do not
wait for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from shared.callbacks.answer import Answer, Verdict
from shared.ledger.callbacks import PAUSE, CallbackClaim, Callbacks
from shared.ledger.pauses import Pauses
from shared.pausing import DISTINCT_OBJECTS

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the ledger is asked during a pause: a person may want the next probe at once."""

LONGEST_RETRY_AFTER = 60.0
"""Seconds without a probe that the receiver may ask for, so that it is not overlooked for long."""

MOST_PROBES = 32
"""Callbacks that are tried together once the receiver answers, if only with errors: whatever is
wrong with many of them must not hide that it takes the others."""

HASTEN_SECONDS = 5.0
"""After a pause as long as the shortest back-off, callbacks may wait for nothing."""


class Outage:
    """Notices that the receiver is away, and that it is back.

    Args:
        pauses: where the pause is recorded.
        callbacks: whose waits end with it.
        clock: monotonic seconds.
    """

    def __init__(
        self, pauses: Pauses, callbacks: Callbacks, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pauses = pauses
        self._callbacks = callbacks
        self._clock = clock
        self._suspects: set[int] = set()
        self._probes = 1
        self._quiet_until = 0.0
        self.is_open: bool | None = None  # not known yet: another process may have opened it

    def look(self) -> float:
        """Look whether the pause is open still, and return seconds until a probe may begin."""
        found = self._pauses.of([PAUSE])
        self.is_open = bool(found)
        probe_in = max((pause.probe_in for pause in found), default=0.0)
        return max(0.0, probe_in, self._quiet_until - self._clock())

    def take_probe(self) -> int:
        """Return how many callbacks may be tried now; 0 if another process tries."""
        return self._probes if self._pauses.take_probe(PAUSE) else 0

    def judge(self, ended: Iterable[tuple[CallbackClaim, Answer]]) -> None:
        """Open or end the pause after what attempts that have ended together show."""
        faults: list[tuple[CallbackClaim, Answer]] = []
        works = False
        for claim, answer in ended:
            if answer.shows_that_it_works:
                works = True
            else:
                faults.append((claim, answer))
        if works:
            self._suspects.clear()
            if self.is_open:
                self.end()
        elif faults and not self.is_open:
            self._suspect(faults)

    def probe_failed(self, answer: Answer) -> None:
        """Record that no probe was taken, and who asked for how much time."""
        self._pauses.postpone(PAUSE, answer.reason or "")
        self._ask_for_quiet(answer)
        self._probes = min(self._probes * 2, MOST_PROBES) if answer.has_status else 1
        self._callbacks.give_up()

    def end(self) -> None:
        """End the pause."""
        seconds = self._pauses.end(PAUSE)
        self.is_open, self._probes, self._quiet_until = False, 1, 0.0
        self._suspects.clear()
        if seconds is None:
            return
        hastened = self._callbacks.hasten() if seconds >= HASTEN_SECONDS else 0
        logger.info(
            "callbacks are delivered again",
            extra={"seconds": round(seconds, 1), "hastened": hastened},
        )

    def _suspect(self, faults: list[tuple[CallbackClaim, Answer]]) -> None:
        """Open the pause if faults concern all: three callbacks in a row, or no connection."""
        self._suspects |= {claim.id for claim, _ in faults}
        answers = [answer for _, answer in faults]
        cut_off = [answer for answer in answers if answer.verdict is Verdict.UNREACHABLE]
        if not cut_off and len(self._suspects) < DISTINCT_OBJECTS:
            return
        met = (cut_off or answers)[-1]
        if self._pauses.open(PAUSE, met.reason or ""):
            logger.warning(
                "callbacks paused, none is attempted until a probe is taken",
                extra={"reason": met.reason, "callbacks": len(self._suspects)},
            )
        self.is_open, self._probes = True, 1
        self._ask_for_quiet(met)
        self._suspects.clear()

    def _ask_for_quiet(self, answer: Answer) -> None:
        wait = min(answer.retry_after or 0.0, LONGEST_RETRY_AFTER)
        self._quiet_until = self._clock() + wait
