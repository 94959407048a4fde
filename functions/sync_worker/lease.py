"""Keeping the leases of running claims."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from shared.errors import LedgerUnavailable
from shared.ledger.ledger import Ledger
from shared.ledger.rows import Claim
from shared.threads import SupervisedThread

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """Extends leases from a thread of its own, while its block runs: the worker's heartbeat.

    A lease then means that the worker is alive, not that the file is small, and it can be short.

    Args:
        ledger: where the leases are.
        lease_seconds: their length; they are extended three times as often.
        running: returns the claims that are not settled yet.
        lost: called with the claims that another worker has taken over.
        look: called at the start and after leases were extended; ends what must not keep its
            lease.
    """

    def __init__(
        self,
        ledger: Ledger,
        lease_seconds: float,
        running: Callable[[], Sequence[Claim]],
        lost: Callable[[Sequence[Claim]], None],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._seconds = lease_seconds
        self._running = running
        self._lost = lost
        self._look = look
        self._done = threading.Event()
        self._thread = SupervisedThread("lease keeper", self._keep)

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
        """End the thread."""
        self._done.set()
        self._thread.stop()
        self._thread.join()

    def _keep(self) -> None:
        while True:
            # First, so that an error in what comes next costs no lease: this begins again.
            self._extend()
            self._look()
            if self._done.wait(self._seconds / 3):
                return

    def _extend(self) -> None:
        claims = self._running()
        if not claims:
            return
        try:
            kept = self._ledger.extend(claims, self._seconds)
        except LedgerUnavailable:
            logger.warning("leases not extended, PostgreSQL is unreachable")
            return
        lost = [claim for claim in claims if claim.wanted.row_id not in kept]
        if lost:
            self._lost(lost)
