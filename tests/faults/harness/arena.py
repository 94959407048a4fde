"""One fault, tried: load, strike, rest, check, and a line in the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.faults.harness.check import judge
from tests.faults.harness.load import Client, Load, Promises
from tests.faults.harness.stack import SECRET, Stack
from tests.faults.harness.table import Line
from tests.helpers.waiting import NotInTime, until

REST_SECONDS = 90.0
FIRST_SYNCED = """
SELECT extract(epoch FROM min(synced_at))::float8 FROM file_sync WHERE synced_at > to_timestamp(%s)
"""
QUEUED = """
SELECT id, file_name, attempts, last_error, due_at - now(), next_attempt_at - now(),
       leased_until - now()
  FROM file_sync WHERE state = 'queued' LIMIT 10
"""


class Trial:
    """One try of one fault.

    Attributes:
        times: how often the fault struck.
        dead: dead letters that are meant.
        foreign: files in the storage that are none of ours.
        recovery: seconds until the work went on, None where that was not measured.
        prefix: begins the names of its objects.
    """

    def __init__(self, stack: Stack, prefix: str, seed: int) -> None:
        self.stack = stack
        self.promises = Promises()
        self.client = Client(stack.port, SECRET, self.promises)
        self.times = 1
        self.dead: Sequence[bytes] = ()
        self.foreign: Sequence[str] = ()
        self.recovery: float | None = None
        self.prefix = prefix
        self._seed = seed

    def load(self, rate: float = 40.0) -> Load:
        """Return clients that work while their block runs."""
        return Load(self.client, self.prefix, self._seed, rate)

    def send(self, behavior: str, *, count: int = 1, size: int = 20_000, name: str = "") -> None:
        """Send requests for objects of one behavior, each to be accepted.

        Args:
            behavior: see `harness.object_store.Behavior`.
            count: how many.
            size: of the objects.
            name: the last part of the key; made up where not given.
        """
        for number in range(count):
            key = f"{behavior}/{size}/{name or f'{self.prefix}-{number}'}"
            status = self.client.send(self.client.asked(key))
            assert status in (201, 409), f"{key} was answered {status}"

    def back(self) -> None:
        """Note that a server is back, and wait until an object is synced after that."""
        since = time.time()

        def resumed() -> bool:
            first = self.stack.query(FIRST_SYNCED, since)[0][0]
            self.recovery = None if first is None else max(first - since, self.recovery or 0.0)
            return first is not None

        until(resumed, "the first object to be synced after the server was back")

    def rest(self, seconds: float = REST_SECONDS) -> None:
        """Wait until there is nothing left to do."""
        until(self.stack.at_rest, "the work to come to rest", seconds)
        if self.dead:  # a batch sets them aside after its rows
            broker, number = self.stack.broker, len(self.dead)
            until(lambda: len(broker.dead()) >= number, "the dead letters", seconds)


class Arena:
    """Where faults are tried, one after the other, on one stack.

    Args:
        stack: the service.
        note: takes a line of the table.
        seed: decides names, sizes and chances.
    """

    def __init__(self, stack: Stack, note: Callable[[Line], None], seed: int) -> None:
        self.stack = stack
        self.seed = seed
        self._tell = note
        self._tries = 0

    @contextmanager
    def trial(self, fault: str, rest_seconds: float = REST_SECONDS) -> Iterator[Trial]:
        """Try a fault: its block strikes; afterwards comes the check.

        Raises:
            AssertionError: something is lost, corrupt, double or left over.
        """
        self._tries += 1
        trial = Trial(self.stack, f"{self.seed}-{self._tries}", self.seed + self._tries)
        try:
            yield trial
            trial.rest(rest_seconds)
            complaints = self._note(fault, trial)
            assert not complaints, "\n".join([*complaints, self.stack.logs()])
        except NotInTime as late:
            stuck = self._stuck()
            self.stack.restore()
            raise NotInTime(f"{late}\n{stuck}\n{self.stack.logs()}") from late
        except BaseException:
            self.stack.restore()
            raise
        self.stack.clear()

    def note(self, figure: str, seconds: float) -> None:
        """Put a figure of its own into the table.

        Args:
            figure: its name.
            seconds: its value.
        """
        self._tell(Line(figure, recovery=seconds))

    def _note(self, fault: str, trial: Trial) -> list[str]:
        found = self.stack.found(trial.client.counts())
        verdict = judge(
            trial.promises, found, self.stack.storage, dead=trial.dead, foreign=trial.foreign
        )
        self._tell(
            Line(
                fault,
                trial.times,
                verdict.accepted,
                verdict.synced,
                verdict.failed,
                verdict.lost,
                verdict.corrupt,
                verdict.duplicated,
                trial.recovery,
            )
        )
        return verdict.complaints

    def _stuck(self) -> str:
        return "\n".join(str(row) for row in self.stack.query(QUEUED))
