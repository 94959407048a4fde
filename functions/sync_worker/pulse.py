"""The worker's heartbeat in the ledger, from which health knows that it is alive and well."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from functions.sync_worker.batch import Batch
from functions.sync_worker.settling import SettlingThread
from shared.errors import LedgerUnavailable
from shared.ledger.heartbeats import WORKER, Heartbeats
from shared.threads import failed_threads

logger = logging.getLogger(__name__)

BEAT_SECONDS = 20.0
"""Between two heartbeats that report the same."""


class Pulse:
    """Records heartbeats of this process, no more often than health checks need.

    Args:
        heartbeats: where they are recorded.
        slow_seconds: a copy, or a disk, that has made no progress for so long is reported. It may
            recover yet.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        heartbeats: Heartbeats,
        slow_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._heartbeats = heartbeats
        self._slow_seconds = slow_seconds
        self._clock = clock
        self._last: tuple[float, str] | None = None

    def beat(
        self, batch: Batch, settling: SettlingThread, waits_since: float | None = None
    ) -> None:
        """Record a heartbeat, if one is due or has something new to report.

        Args:
            batch: the unsettled transfers.
            settling: the thread that settles them.
            waits_since: when the storage was asked for files, None once it has answered.
        """
        now, detail = self._clock(), self._detail(batch, settling, waits_since)
        if self._last and now - self._last[0] < BEAT_SECONDS and detail == self._last[1]:
            return
        try:
            self._heartbeats.beat(WORKER, detail or None)
        except LedgerUnavailable:
            logger.warning("no heartbeat, PostgreSQL is unreachable")
        else:
            self._last = now, detail

    def _detail(self, batch: Batch, settling: SettlingThread, waits_since: float | None) -> str:
        """Return what is wrong, in one line; empty if nothing is."""
        now, limit = self._clock(), self._slow_seconds
        found = [failed_threads()]
        if standing := len(batch.standing(now, limit)):
            found.append(f"{standing} copies have made no progress for {limit:g} s")
        if waits_since is not None and now - waits_since > limit:
            found.append(f"the storage has not opened files for {limit:g} s")
        since = settling.busy_since
        if since is not None and now - since > limit:
            found.append(f"the storage has been settling one group for over {limit:g} s")
        return "; ".join(filter(None, found))
