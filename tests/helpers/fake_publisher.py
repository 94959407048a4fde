"""A publisher in memory; it passes the contract of every `Publisher`."""

from __future__ import annotations

import threading

from shared.queue.publisher import Counts


class FakePublisher:
    """A `Publisher` without a broker, which confirms every message at once.

    Attributes:
        published: row id and request id of each message, in their order.
    """

    def __init__(self) -> None:
        self.published: list[tuple[int, str]] = []
        self._lost = 0
        self._closed = False
        self._lock = threading.Lock()

    def publish(self, row_id: int, request_id: str) -> None:
        """See `Publisher.publish`."""
        with self._lock:
            if self._closed:
                self._lost += 1
            else:
                self.published.append((row_id, request_id))

    def close(self, timeout: float) -> None:
        """See `Publisher.close`."""
        del timeout
        self._closed = True

    def counts(self) -> Counts:
        """See `Publisher.counts`."""
        with self._lock:
            lost = {"closed": self._lost} if self._lost else {}
            return Counts(len(self.published) + self._lost, len(self.published), lost)
