"""The copies of one batch that run or wait to be settled."""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import threading
from collections.abc import Iterable

from functions.sync_worker.transfer import Copy
from shared.ledger.rows import Claim

GATHER_SECONDS = 0.02
"""While others are running, a copy that has ended waits so long for company: a group shares its
transaction and its sync to disk. The last copy, or the only one, waits for nobody."""

WIND_UP_SECONDS = 2.0
"""How long copies that were broken off may take to close their files."""


class Batch:
    """The copies that are not settled yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._copies: dict[int, Copy] = {}
        self._ended: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        self._running = 0
        self._none_runs = threading.Event()

    def add(self, copy: Copy) -> None:
        """Take a copy in."""
        with self._lock:
            self._copies[copy.row_id] = copy
            self._running += 1
            self._none_runs.clear()
        copy.content.add_done_callback(lambda _: self._on_end(copy))

    def claims(self) -> list[Claim]:
        """Gives the claims of the copies that are not settled."""
        with self._lock:
            return [copy.claim for copy in self._copies.values()]

    def break_off(self, claims: Iterable[Claim]) -> None:
        """Break the copies of claims off, as far as they are still here."""
        for claim in claims:
            with self._lock:
                copy = self._copies.get(claim.wanted.row_id)
            if copy:
                copy.break_off()

    def ended(self, seconds: float) -> list[Copy]:
        """Return the copies that have ended, waiting for one if none has.

        When there is no time left, all are broken off and count as ended.

        Args:
            seconds: how long to wait at most.
        """
        copies = []
        if seconds > 0:
            with contextlib.suppress(queue.Empty):
                copies.append(self._ended.get(timeout=seconds))
                self._none_runs.wait(min(GATHER_SECONDS, seconds))
                while True:
                    copies.append(self._ended.get_nowait())
        return copies or self._end()

    def remove(self, copies: Iterable[Copy]) -> None:
        """Let go of copies that are settled."""
        with self._lock:
            for copy in copies:
                self._copies.pop(copy.row_id, None)

    def _on_end(self, copy: Copy) -> None:
        self._ended.put(copy)
        with self._lock:
            self._running -= 1
            if not self._running:
                self._none_runs.set()

    def _end(self) -> list[Copy]:
        self.break_off(self.claims())
        with self._lock:
            copies = list(self._copies.values())
        # Whoever attempts one next must not find its part still being written.
        concurrent.futures.wait([copy.content for copy in copies], WIND_UP_SECONDS)
        return copies
