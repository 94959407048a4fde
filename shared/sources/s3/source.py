"""Objects from S3, or from any server that speaks its protocol."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from shared.config.settings import Settings
from shared.domain import Fetched, Wanted
from shared.errors import OutOfTime, TransferError
from shared.sources.s3.aim import Aim
from shared.sources.s3.download import Copy
from shared.sources.s3.location import Location
from shared.sources.s3.receiver import Receiver
from shared.sources.s3.transport import Transport

EXTRA_STREAMS = 8
"""Connections for further ranges of large objects, beside the one that each object has."""

POOL_THREADS = 4
"""They digest large objects, and now and then one waits for the answer about a part's size."""


class S3Source:
    """Copies objects of one bucket; see `shared.sources.s3.download` for how.

    Args:
        settings: the bucket, how it is reached, and the limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._location = Location(settings)
        self._grace = timedelta(seconds=settings.missing_object_seconds)
        self._limit = settings.sync_concurrency
        self._waiting: deque[Copy] = deque()
        self._running: set[Copy] = set()
        self._futures: dict[Copy, Future[Fetched]] = {}
        self._extra = 0
        self._closing = False
        self._idle = threading.Event()
        self._pool = ThreadPoolExecutor(POOL_THREADS, "digest")
        self._transport = Transport(self._limit + EXTRA_STREAMS, settings.source_stall_seconds)

    def fetch(self, wanted: Wanted, part: Path) -> Future[Fetched]:
        """See `ObjectSource.fetch`; the first one also loads boto3, which takes a while."""
        future: Future[Fetched] = Future()
        if self._closing:
            future.set_exception(OutOfTime("the worker is ending"))
            return future
        try:
            aim = self._location.aim(wanted.file_name)
        except TransferError as error:
            future.set_exception(error)
            return future
        copy = Copy(self, wanted, part, aim)
        self.soon(lambda: self._accept(copy, future))
        future.add_done_callback(lambda done: self._cancelled(copy, done))
        return future

    def close(self) -> None:
        """Ends running copies, keeping what can be continued, and frees connections."""
        self._closing = True
        self.soon(self._close)
        self._idle.wait()
        self._pool.shutdown()
        self._transport.close()

    def _accept(self, copy: Copy, future: Future[Fetched]) -> None:
        self._futures[copy] = future
        self._waiting.append(copy)
        if self._closing:
            self._close()
        self._start_next()

    def _start_next(self) -> None:
        while self._waiting and len(self._running) < self._limit:
            copy = self._waiting.popleft()
            self._running.add(copy)
            copy.start()

    def _cancelled(self, copy: Copy, future: Future[Fetched]) -> None:
        if future.cancelled():
            self.soon(lambda: self._stop(copy))

    def _stop(self, copy: Copy) -> None:
        if copy in self._running:
            copy.stop(OutOfTime("it was cancelled"))
        elif copy in self._waiting:
            self._waiting.remove(copy)
            self.ended(copy, OutOfTime("it was cancelled"))

    def _close(self) -> None:
        for copy in [*self._waiting, *self._running]:
            if copy in self._waiting:
                self._waiting.remove(copy)
                self.ended(copy, OutOfTime("the worker is ending"))
            else:
                copy.stop(OutOfTime("the worker is ending"))
        if not self._futures:
            self._idle.set()

    # What a copy needs: `shared.sources.s3.host.Host`

    def get(self, aim: Aim, headers: list[str], receiver: Receiver) -> None:
        """See `Host`."""
        self._transport.get(aim, headers, receiver)

    def abort(self, receiver: Receiver) -> None:
        """See `Host`."""
        self._transport.abort(receiver)

    def soon(self, function: Callable[[], None]) -> None:
        """See `Host`."""
        self._transport.call(function)

    def work(self, function: Callable[[], None], then: Callable[[], None]) -> None:
        """See `Host`."""
        self._pool.submit(function).add_done_callback(lambda _: self.soon(then))

    def clock(self) -> float:
        """See `Host`."""
        return time.monotonic()

    def borrow_stream(self) -> bool:
        """See `Host`."""
        if self._extra >= EXTRA_STREAMS:
            return False
        self._extra += 1
        return True

    def return_stream(self) -> None:
        """See `Host`."""
        self._extra -= 1

    def part_size(self, key: str, number: int) -> tuple[int, int]:
        """See `Host`."""
        return self._location.part_size(key, number)

    def aim(self, key: str, region: str) -> Aim:
        """See `Host`."""
        self._location.move(region)
        return self._location.aim(key)

    def within_grace(self, wanted: Wanted) -> bool:
        """See `Host`."""
        return wanted.claimed_at - wanted.queued_at <= self._grace

    def ended(self, copy: Copy, outcome: Fetched | BaseException) -> None:
        """See `Host`."""
        self._running.discard(copy)
        future = self._futures.pop(copy)
        try:
            if isinstance(outcome, Fetched):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)
        except InvalidStateError:  # cancelled: tell those who wait for it that it has ended
            future.set_running_or_notify_cancel()
        if self._closing and not self._futures:
            self._idle.set()
        self._start_next()
