"""The transfers of one invocation that run or wait to be settled."""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable

from functions.sync_worker.transfer import Transfer
from shared.errors import TransferError
from shared.ledger.rows import Claim

GATHER_SECONDS = 0.05
"""While others run, a transfer that has ended waits this long for more to settle with: a group
shares its transaction and its sync to disk. The last transfer, or the only one, does not wait."""

SLOW_SECONDS = 1.0
"""From here on another worker may have left rows that waited for a transfer of this one, see
`intake.STAY_SECONDS`, which must be longer."""

WIND_UP_SECONDS = 2.0
"""How long transfers that were broken off may take to close their files."""


class Batch:
    """The transfers that are not settled yet; any thread may use it.

    Args:
        few: see the attribute.

    Attributes:
        few: how many running transfers are so few that the end of one ends a `wait`. A thread that
            wakes up for each end takes the interpreter from those that copy.
        ended_count: the transfers that have ended so far.
    """

    def __init__(self, few: int) -> None:
        self.few = few
        self.ended_count = 0
        self._lock = threading.Lock()
        self._transfers: dict[int, Transfer] = {}
        self._ended: queue.SimpleQueue[Transfer | None] = queue.SimpleQueue()
        self._slow: list[Claim] = []
        self._running = 0
        self._none_runs = threading.Event()
        self._none_runs.set()
        self._changed = threading.Event()

    @property
    def running(self) -> int:
        """The number of transfers that have not ended."""
        return self._running

    @property
    def held(self) -> int:
        """The number of transfers that are not settled."""
        return len(self._transfers)

    def holds(self, row_ids: Iterable[int]) -> int:
        """Return how many of these rows have a transfer here."""
        with self._lock:
            return sum(row_id in self._transfers for row_id in row_ids)

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

    def standing(self, now: float, seconds: float) -> list[Transfer]:
        """Return the transfers that have run without progress for longer than `seconds`."""
        with self._lock:
            transfers = list(self._transfers.values())
        return [t for t in transfers if now - t.stands_since(now) > seconds]

    def break_off(self, claims: Iterable[Claim], why: Callable[[], TransferError]) -> bool:
        """Break off the transfers of claims that are still here, and have them settled.

        Args:
            claims: of the transfers.
            why: returns the error that a transfer ends with.

        Returns:
            Whether nothing writes their parts any more; otherwise a thread of the source hangs.
        """
        with self._lock:
            here = [self._transfers.get(claim.wanted.row_id) for claim in claims]
        broken = [transfer for transfer in here if transfer and transfer.break_off(why())]
        # The next attempt must not find its part still being written.
        contents = [transfer.content for transfer in broken]
        waited = concurrent.futures.wait(contents, WIND_UP_SECONDS)
        for transfer in broken:
            self._ended.put(transfer)
        return not waited.not_done

    def wait(self, seconds: float) -> None:
        """Wait until transfers are settled, or one ends and few run, for at most `seconds`."""
        self._changed.wait(seconds)
        self._changed.clear()

    def ended(self) -> list[Transfer]:
        """Return the transfers that have ended, waiting for one; none once the batch is closed."""
        first = self._ended.get()
        if first is None:
            return []
        transfers = [first]
        self._none_runs.wait(GATHER_SECONDS)
        with contextlib.suppress(queue.Empty):
            while (following := self._ended.get_nowait()) is not None:
                transfers.append(following)
            self._ended.put(None)
        return transfers

    def close(self) -> None:
        """Let `ended` return nothing once what has ended so far is taken."""
        self._ended.put(None)

    def remove(self, transfers: Iterable[Transfer]) -> None:
        """Remove transfers that are settled."""
        slow_before = time.monotonic() - SLOW_SECONDS
        with self._lock:
            for transfer in transfers:
                # Before it is no longer held, which may end the invocation.
                if transfer.claimed_at < slow_before:
                    self._slow.append(transfer.claim)
                self._transfers.pop(transfer.row_id, None)
        self._changed.set()

    def ended_slowly(self) -> list[Claim]:
        """Return once the claims of settled transfers that have taken long."""
        with self._lock:
            claims, self._slow = self._slow, []
        return claims

    def _on_end(self, transfer: Transfer) -> None:
        transfer.ended_at = time.monotonic()
        if not transfer.content.cancelled():  # otherwise `break_off` waits for its source
            self._ended.put(transfer)
        with self._lock:
            self._running -= 1
            self.ended_count += 1
            if not self._running:
                self._none_runs.set()
        if self._running <= self.few:
            self._changed.set()
