"""The rate of copying before and after `kill -9` of a trigger, which is started again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench import ledgers
from bench.figure import Figure, Target
from bench.installation import installation, key
from bench.setting import Setting
from bench.worker import LIMIT_SECONDS
from shared.queue.messages import SyncMessage

OBJECT_BYTES = 4_096
RATIO = 0.9
MORE_SECONDS = 10
"""Beside the lease, until the rate must be what it was."""

WARM_UP_OBJECTS = 5_000
"""Synced before the rate is looked at: both triggers run by then."""

BACKLOG, FED = 10_000, 5_000
"""So many objects wait at least, and so many are added at once."""

LOOK_SECONDS = 0.2
WINDOW_SECONDS = 2.0
"""Over which a rate is taken where the moment is looked for at which it is what it was."""

LOST = """
SELECT count(*), extract(epoch FROM max(f.synced_at) - to_timestamp(%s))::float8
  FROM sync_attempt AS a JOIN file_sync AS f ON f.id = a.file_sync_id
 WHERE a.outcome = 'lost'
"""

Sample = tuple[float, int]
"""Seconds, and objects that were synced by then."""


def measure(setting: Setting) -> Iterator[Figure]:
    """Kill one trigger of two while there is always work."""
    plan = setting.plan
    before, after, until, notes = [], [], [], []
    for number in setting.runs("recovery"):
        run = _run(setting, f"recovery_{number}")
        before.append(run.rate(run.killed - plan.steady_seconds, run.killed))
        late = run.killed + plan.lease_seconds + MORE_SECONDS
        after.append(run.rate(late, late + plan.steady_seconds))
        until.append(run.recovered(RATIO * before[-1]))
        notes.append(f"{run.lost} objects, the last in place after {run.last_seconds:.0f} s")
    about = f"kill -9 of one trigger, lease {plan.lease_seconds} s"
    yield Figure(
        f"{about}: rate {MORE_SECONDS} s behind the lease",
        after,
        "files/s",
        Target(RATIO, ratio=True),
        before,
        f"the {plan.steady_seconds} s before",
        f"what the killed trigger had in hand in each run: {'; '.join(notes)}",
    )
    yield Figure(
        f"{about}: until {RATIO:g} of the rate before",
        until,
        "s",
        Target(plan.lease_seconds + MORE_SECONDS, at_least=False),
    )


@dataclass(slots=True)
class Run:
    """One kill.

    Attributes:
        samples: in the order of time.
        killed: the moment of the kill, on the same clock.
        lost: objects that the killed trigger had in hand.
        last_seconds: from the kill until the last of them was in place.
    """

    samples: list[Sample] = field(default_factory=list)
    killed: float = 0.0
    lost: int = 0
    last_seconds: float = 0.0

    def rate(self, begin: float, end: float) -> float:
        """Return the objects a second between two moments."""
        first, last = _at(self.samples, begin), _at(self.samples, end)
        return (last[1] - first[1]) / (last[0] - first[0])

    def recovered(self, rate: float) -> float:
        """Return the seconds from the kill until a rate was reached over a window.

        The window begins after the kill. If none reaches the rate, all the time counts.
        """
        moments = [moment for moment, _ in self.samples]
        reached = (
            moment
            for moment in moments
            if moment - WINDOW_SECONDS >= self.killed
            and self.rate(moment - WINDOW_SECONDS, moment) >= rate
        )
        return next(reached, moments[-1]) - self.killed


def _at(samples: Sequence[Sample], moment: float) -> Sample:
    """Return the first sample that is not before a moment, or the last one."""
    return next((sample for sample in samples if sample[0] >= moment), samples[-1])


def _run(setting: Setting, name: str) -> Run:
    plan, stack = setting.plan, setting.stack
    url = ledgers.make(stack.postgres.url, name, 0, lambda _: None)
    more = {"LEASE_SECONDS": str(plan.lease_seconds)}
    run = Run()
    with installation(setting, name, url, OBJECT_BYTES, more) as service:
        feeder = _Feeder(setting, url)
        try:
            feeder.warm_up(run)
            feeder.watch(run, plan.steady_seconds)
            victim = service.triggers()[0]
            os.kill(victim, signal.SIGKILL)
            run.killed, at = time.monotonic(), time.time()
            feeder.watch(run, plan.lease_seconds + MORE_SECONDS + plan.steady_seconds)
            feeder.finish()
        finally:
            feeder.close()
        ((run.lost, seconds),) = ledgers.execute(url, LOST, at)
        run.last_seconds = seconds or 0.0
    return run


class _Feeder:
    """Sees to it that there is always work, and counts what is done.

    Args:
        setting: of the measurement.
        url: of the ledger.
    """

    def __init__(self, setting: Setting, url: str) -> None:
        self._queue = setting.stack.queue
        self._url = url
        self._counter = ledgers.Counter(url)
        self._before = self._counter.synced()
        self._added = 0

    def warm_up(self, run: Run) -> None:
        """Feed until `WARM_UP_OBJECTS` are synced.

        Raises:
            AssertionError: they are not, after a long time.
        """
        deadline = time.monotonic() + LIMIT_SECONDS
        while (synced := self._synced()) < WARM_UP_OBJECTS:
            if time.monotonic() > deadline:
                raise AssertionError(f"only {synced} objects are synced")
            self.watch(run, LOOK_SECONDS)

    def watch(self, run: Run, seconds: float) -> None:
        """Feed and take samples for some seconds."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            synced = self._synced()
            run.samples.append((time.monotonic(), synced))
            if self._added - synced < BACKLOG:
                self._feed()
            else:
                time.sleep(LOOK_SECONDS)

    def finish(self) -> None:
        """Wait until everything is synced.

        Raises:
            AssertionError: something is not, after a long time.
        """
        deadline = time.monotonic() + LIMIT_SECONDS
        while (synced := self._synced()) < self._added:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self._added - synced} objects are not synced")
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """End the connection."""
        self._counter.close()

    def _synced(self) -> int:
        return self._counter.synced() - self._before

    def _feed(self) -> None:
        names = [key(n) for n in range(self._added, self._added + FED)]
        messages = [SyncMessage(row_id, "bench") for row_id in ledgers.queue(self._url, names)]
        if len(self._queue.publish_all(messages)) < len(messages):
            raise AssertionError("the broker did not confirm every message")
        self._added += len(messages)
