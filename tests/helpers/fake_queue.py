"""A queue in memory; it passes the contract of every `Queue`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.errors import QueueUnavailable
from shared.queue.messages import SyncMessage


class FakeQueue:
    """A `Queue` without a broker.

    Args:
        waiting: messages that wait before the first is published.

    Attributes:
        waiting: messages that wait for a worker; published ones are not added.
        confirms: whether messages are confirmed.
        reachable: whether there is a broker; without one every call raises.
        published: the row ids of confirmed and unconfirmed messages, in their order.
        batches: how often `publish_all` was called.
        dead_letters: data and reason of each.
    """

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting
        self.confirms = True
        self.reachable = True
        self.published: list[int] = []
        self.batches = 0
        self.dead_letters: list[tuple[bytes, str]] = []

    def publish_all(self, messages: Iterable[SyncMessage]) -> set[int]:
        """See `Queue.publish_all`."""
        self._ask()
        row_ids = [message.row_id for message in messages]
        self.published += row_ids
        self.batches += 1
        return set(row_ids) if self.confirms else set()

    def depth(self) -> int:
        """See `Queue.depth`."""
        self._ask()
        return self.waiting

    def dead_letter_depth(self) -> int:
        """See `Queue.dead_letter_depth`."""
        self._ask()
        return len(self.dead_letters)

    def dead_letter(self, data: bytes, reason: str, headers: Mapping[str, object]) -> None:
        """See `Queue.dead_letter`."""
        del headers
        self._ask()
        self.dead_letters.append((data, reason))

    def close(self) -> None:
        """See `Queue.close`."""

    def _ask(self) -> None:
        if not self.reachable:
            raise QueueUnavailable
