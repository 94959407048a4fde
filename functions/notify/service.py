"""Delivering callbacks: claim what is due, post it, settle what has ended, repeat."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from functions.notify.backoff import delay
from functions.notify.outage import LOOK_SECONDS, Outage
from shared.callbacks.answer import Answer, Verdict
from shared.callbacks.message import Signer
from shared.callbacks.receiver import ANSWER_SECONDS, CONNECTIONS, Receiver
from shared.injection_points import CrashPoint, injection_point
from shared.ledger.callbacks import CallbackClaim, CallbackResult, CallbackState
from shared.ledger.ledger import Ledger
from shared.metrics import tally
from shared.metrics.catalog import CALLBACK_DELIVERIES

logger = logging.getLogger(__name__)

CLAIMED = 2 * CONNECTIONS
"""Callbacks claimed by one statement, at the latest when there is room for one more."""

LEASE_SECONDS = (1 + CLAIMED / CONNECTIONS + 1) * ANSWER_SECONDS + 10.0
"""Long enough for the last ones claimed, even if each one before takes all of its time. After a
process is killed, its callbacks wait for so long."""

SETTLED = 100
SETTLE_SECONDS = 0.1
"""Results are recorded in groups of so many, or after so long: the next callback of a name waits
for that."""

POLL_SECONDS = 0.2
"""How often a run with work in progress looks for more, and whether it is to end."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did.

    Attributes:
        delivered: callbacks that the receiver confirmed.
        failed: attempts that it did not.
        given_up: callbacks that were given up.
    """

    delivered: int = 0
    failed: int = 0
    given_up: int = 0


@dataclass(slots=True)
class _Run:
    """What a run holds.

    Attributes:
        receiver: where messages go.
        waiting: claimed, not started.
        running: started, by id.
        ended: answered, not recorded.
        settle_at: when they are recorded at the latest, in monotonic seconds.
    """

    receiver: Receiver
    waiting: deque[CallbackClaim] = field(default_factory=deque)
    running: dict[int, CallbackClaim] = field(default_factory=dict)
    ended: list[tuple[CallbackClaim, Answer]] = field(default_factory=list)
    settle_at: float = 0.0
    delivered: int = 0
    failed: int = 0
    given_up: int = 0


class Notify:
    """Delivers the callbacks that are due.

    Args:
        ledger: where they are recorded.
        connect: returns the receiver, for one run.
        signer: makes the messages.
        jitter: returns random numbers from 0 to 1.
        now: returns the current time (aware).
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        connect: Callable[[], Receiver],
        signer: Signer,
        *,
        jitter: Callable[[], float],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._callbacks = ledger.callbacks
        self._outage = Outage(ledger.pauses, ledger.callbacks, clock)
        self._connect = connect
        self._signer = signer
        self._jitter = jitter
        self._now = now
        self._clock = clock

    def run(
        self,
        going: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], object] = time.sleep,
    ) -> Report:
        """Deliver until nothing is due. If the receiver is away, stay and probe it.

        An idle run is one statement.

        Args:
            going: asked often; False ends the run once what is in progress has ended.
            sleep: waits for some seconds, not longer than `POLL_SECONDS`.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable. What was delivered and is not recorded is
                delivered again.
        """
        if self._outage.is_open is None:
            self._outage.look()
        claims = [] if self._outage.is_open else self._claim(going)
        if not claims and not self._outage.is_open:
            return Report()
        with self._connect() as receiver:
            run = _Run(receiver, deque(claims))
            self._deliver(run, going, sleep)
        return Report(run.delivered, run.failed, run.given_up)

    def _claim(self, going: Callable[[], bool]) -> list[CallbackClaim]:
        return self._callbacks.claim(CLAIMED, LEASE_SECONDS) if going() else []

    def _deliver(
        self, run: _Run, going: Callable[[], bool], sleep: Callable[[float], object]
    ) -> None:
        claim_at = self._clock()
        while True:
            if self._outage.is_open or not going():
                self._give_back(run)
            if self._outage.is_open:
                if run.running:
                    self._collect(run)
                    continue
                self._settle(run)
                if not going() or not self._probe(run, going, sleep):
                    return
                continue
            is_idle = not run.running and not run.waiting
            if is_idle:
                self._settle(run)  # it may free the next ones of their names
            is_due = is_idle or self._clock() >= claim_at
            if is_due and going() and len(run.waiting) < run.receiver.room:
                claims = self._claim(going)
                run.waiting.extend(claims)
                claim_at = self._clock() + (0.0 if len(claims) == CLAIMED else SETTLE_SECONDS)
            while run.waiting and run.receiver.room:
                self._start(run, run.waiting.popleft())
            if not run.running:
                return
            self._collect(run)

    def _start(self, run: _Run, claim: CallbackClaim) -> None:
        run.running[claim.id] = claim
        run.receiver.start(claim.id, self._signer.message(claim, self._now()))

    def _collect(self, run: _Run) -> list[tuple[CallbackClaim, Answer]]:
        """Wait for the next attempts to end, and return them."""
        wait = POLL_SECONDS
        if run.ended:
            wait = min(wait, max(0.0, run.settle_at - self._clock()))
        ended = [(run.running.pop(key), answer) for key, answer in run.receiver.wait(wait)]
        if ended:
            injection_point(CrashPoint.AFTER_DELIVERY)
            if not run.ended:
                run.settle_at = self._clock() + SETTLE_SECONDS
            run.ended += ended
            self._outage.judge(ended)
        if len(run.ended) >= SETTLED or (run.ended and self._clock() >= run.settle_at):
            self._settle(run)
        return ended

    def _probe(
        self, run: _Run, going: Callable[[], bool], sleep: Callable[[float], object]
    ) -> bool:
        """Wait for the next probe of a pause and make it; return whether the run goes on."""
        wait = self._outage.look()
        if not self._outage.is_open:
            return True
        if wait > 0:
            ends = self._clock() + min(wait, LOOK_SECONDS)
            while going() and (left := ends - self._clock()) > 0:
                sleep(min(left, POLL_SECONDS))
            return True
        number = self._outage.take_probe()
        if not number:
            return True
        claims = self._callbacks.claim(number, LEASE_SECONDS, probe=True)
        if not claims:
            self._outage.end()  # nothing waits for it
            return False
        for claim in claims:
            self._start(run, claim)
        last: Answer | None = None
        while run.running:
            for _, answer in self._collect(run):
                last = answer
        if self._outage.is_open and last is not None:
            self._outage.probe_failed(last)
        return True

    def _settle(self, run: _Run) -> None:
        if not run.ended:
            return
        results = [self._result(claim, answer) for claim, answer in run.ended]
        run.ended = []
        states = self._callbacks.settle(results)
        for result in results:
            state = states.get(result.claim.id)
            tally.count(CALLBACK_DELIVERIES, _outcome(result, state))
            about = {"callback": result.claim.id, "message_id": result.claim.message_id}
            if result.reason is None:
                run.delivered += 1
                continue
            run.failed += 1
            if state is CallbackState.UNDELIVERED:
                run.given_up += 1
                logger.error("callback given up", extra={**about, "reason": result.reason})
            elif result.counted:
                extra = {**about, "reason": result.reason, "retry_in": round(result.delay, 1)}
                logger.warning("callback not delivered", extra=extra)

    def _result(self, claim: CallbackClaim, answer: Answer) -> CallbackResult:
        """Return what is recorded; a fault that all may share does not count during a pause."""
        if answer.verdict is Verdict.DELIVERED:
            return CallbackResult(claim)
        counted = answer.verdict is Verdict.REFUSED or not self._outage.is_open
        attempts = max(1, claim.counted_attempts) if counted else 1
        seconds = delay(attempts, self._jitter(), answer.retry_after)
        return CallbackResult(claim, answer.reason, seconds, counted)

    def _give_back(self, run: _Run) -> None:
        self._callbacks.give_back(run.waiting)
        run.waiting.clear()


def _outcome(result: CallbackResult, state: CallbackState | None) -> str:
    """Return how an attempt is counted, given the state that it led to."""
    if result.reason is None:
        return "delivered"
    if state is CallbackState.UNDELIVERED:
        return "undelivered"
    return "retry" if result.counted else "spared"
