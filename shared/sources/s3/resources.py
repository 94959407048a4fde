"""What the downloads of one source share: the transport, a thread pool, connections to spare."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from shared.sources.comparison import EtagMismatch
from shared.sources.s3.control import Controls
from shared.sources.s3.habits import Habits
from shared.sources.s3.location import Location
from shared.sources.s3.transport import Transport
from shared.storage.reading import StorageReader

SPARE_CONNECTIONS = 8
"""For further ranges of large objects, beside the one connection that each object has."""

POOL_THREADS = 4
"""They digest large objects, and now and then one waits for the size of a part."""


class SpareConnections:
    """A budget of connections; on the transport's thread alone."""

    def __init__(self, count: int = SPARE_CONNECTIONS) -> None:
        self._free = count

    def borrow(self) -> bool:
        """Take one, and return whether one was free."""
        if not self._free:
            return False
        self._free -= 1
        return True

    def give_back(self) -> None:
        """Return a borrowed one to the budget."""
        self._free += 1


def started_pool() -> ThreadPoolExecutor:
    """Return the pool with all its threads started.

    A machine that has no further thread for us is found out here, at the start. Later it would be
    where a download hands over its work, and would wait for it forever.
    """
    pool = ThreadPoolExecutor(POOL_THREADS, "digest")
    together = threading.Barrier(POOL_THREADS)
    list(pool.map(lambda _: together.wait(), range(POOL_THREADS)))
    return pool


@dataclass(frozen=True, slots=True)
class Resources:
    """The shared means of all downloads.

    Attributes:
        location: of the bucket.
        transport: runs the requests.
        controls: runs the control requests.
        pool: runs what would hold up the transport's thread.
        spare: connections beyond the one of each download.
        clock: seconds that only grow.
        etag_mismatch: what an ETag is worth that differs from the MD5 of the bytes.
        habits: of the endpoint.
        reader: of the files in place; None where nothing is compared with them.
    """

    location: Location
    transport: Transport
    controls: Controls
    pool: ThreadPoolExecutor = field(default_factory=started_pool)
    spare: SpareConnections = field(default_factory=SpareConnections)
    clock: Callable[[], float] = time.monotonic
    etag_mismatch: EtagMismatch = EtagMismatch.COMPARE
    habits: Habits = field(default_factory=Habits)
    reader: StorageReader | None = None

    def run(self, on_pool: Callable[[], None], then: Callable[[], None]) -> None:
        """Run `on_pool` on a pool thread and `then` back on the transport's."""
        self.pool.submit(on_pool).add_done_callback(lambda _: self.transport.call(then))

    def close(self) -> None:
        """End both; no download may be left."""
        self.pool.shutdown()
        self.transport.close()
