"""The thread that settles transfers while others run."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from functions.sync_worker.batch import WIND_UP_SECONDS, Batch
from functions.sync_worker.settler import Settler
from shared.ledger.rows import Outcome

POLL_SECONDS = 0.2
"""How often the invocation's thread looks whether this one has failed."""


class SettlingThread:
    """Settles the transfers that end while its block runs.

    A disk that is slow to sync then delays neither new transfers nor the end of the invocation.

    Args:
        settler: ends transfers.
        batch: the transfers.
        clock: monotonic seconds.

    Attributes:
        outcomes: the number of attempts by how they ended.
        busy_since: when it began to settle the current group (monotonic), None while it waits.
    """

    def __init__(
        self, settler: Settler, batch: Batch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.outcomes: collections.Counter[Outcome] = collections.Counter()
        self.busy_since: float | None = None
        self._settler, self._batch, self._clock = settler, batch, clock
        self._error: BaseException | None = None
        # A daemon, so that a disk that hangs does not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="settling", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread after what it settles now, unless that takes too long."""
        self._batch.close()
        self._thread.join(WIND_UP_SECONDS)

    def check(self) -> None:
        """Raise what has ended the thread.

        Raises:
            LedgerUnavailable: outcomes cannot be recorded.
        """
        if self._error is not None:
            raise self._error

    def finish(self, seconds: float) -> bool:
        """Wait until everything is settled, and return whether it is.

        Args:
            seconds: the longest wait.

        Raises:
            LedgerUnavailable: outcomes cannot be recorded.
        """
        deadline = self._clock() + seconds
        while self._batch.held and self._clock() < deadline:
            self.check()
            self._batch.wait(min(POLL_SECONDS, seconds))
        self.check()
        return not self._batch.held

    def _run(self) -> None:
        try:
            while ended := self._batch.ended():
                self.busy_since = self._clock()
                settlements = self._settler.settle(ended)
                self.busy_since = None
                self.outcomes.update(settlement.outcome for settlement in settlements)
                self._batch.remove(ended)
        except BaseException as error:  # noqa: BLE001 - the invocation's thread raises it
            self._error = error
            self._batch.remove(())
