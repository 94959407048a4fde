"""The transfers of one batch that run or wait to be settled."""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import threading
from collections.abc import Iterable

from functions.sync_worker.transfer import Transfer
from shared.ledger.rows import Claim

GATHER_SECONDS = 0.02
"""While others run, a transfer that has ended waits this long for more to settle with: a group
shares its transaction and its sync to disk. The last transfer, or the only one, does not wait."""

WIND_UP_SECONDS = 2.0
"""How long transfers that were broken off may take to close their files."""


class Batch:
    """The transfers that are not settled yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._transfers: dict[int, Transfer] = {}
        self._ended: queue.SimpleQueue[Transfer] = queue.SimpleQueue()
        self._running = 0
        self._none_runs = threading.Event()

    def add(self, transfer: Transfer) -> None:
        """Add a transfer that has just been started."""
        with self._lock:
            self._transfers[transfer.row_id] = transfer
            self._running += 1
            self._none_runs.clear()
        transfer.content.add_done_callback(lambda _: self._on_end(transfer))

    def claims(self) -> list[Claim]:
        """Return the claims of the transfers that are not settled."""
        with self._lock:
            return [transfer.claim for transfer in self._transfers.values()]

    def break_off(self, claims: Iterable[Claim]) -> None:
        """Break off the transfers of claims that are still here."""
        for claim in claims:
            with self._lock:
                transfer = self._transfers.get(claim.wanted.row_id)
            if transfer:
                transfer.break_off()

    def ended(self, seconds: float) -> list[Transfer]:
        """Return the transfers that have ended, waiting for one if none has.

        If there is no time left, all are broken off and count as ended.

        Args:
            seconds: the longest wait.
        """
        transfers = []
        if seconds > 0:
            with contextlib.suppress(queue.Empty):
                transfers.append(self._ended.get(timeout=seconds))
                self._none_runs.wait(min(GATHER_SECONDS, seconds))
                while True:
                    transfers.append(self._ended.get_nowait())
        return transfers or self._end()

    def remove(self, transfers: Iterable[Transfer]) -> None:
        """Remove transfers that are settled."""
        with self._lock:
            for transfer in transfers:
                self._transfers.pop(transfer.row_id, None)

    def _on_end(self, transfer: Transfer) -> None:
        self._ended.put(transfer)
        with self._lock:
            self._running -= 1
            if not self._running:
                self._none_runs.set()

    def _end(self) -> list[Transfer]:
        self.break_off(self.claims())
        with self._lock:
            transfers = list(self._transfers.values())
        # The next attempt must not find its part still being written.
        concurrent.futures.wait([transfer.content for transfer in transfers], WIND_UP_SECONDS)
        return transfers
