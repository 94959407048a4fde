"""The queue without a broker: what is published is delivered at once, in the same process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from shared.queue.interface import NullQueue
from shared.queue.messages import SyncMessage
from shared.queue.rmq_event import Delivery, build


class DirectQueue(NullQueue):
    """A queue that hands messages to the worker as the event that RabbitMQ's would be.

    Args:
        deliver: passes one `aws:rmq` event to the worker; returns once every row is settled.
        batch_size: messages in one event at most.
        going: asked before each batch; False leaves the rest unpublished.
    """

    def __init__(
        self,
        deliver: Callable[[dict[str, Any]], object],
        batch_size: int,
        going: Callable[[], bool] = lambda: True,
    ) -> None:
        self._deliver = deliver
        self._batch_size = batch_size
        self._going = going

    def publish_all(self, messages: Iterable[SyncMessage]) -> set[int]:
        """Deliver the messages.

        Returns:
            The ids of the rows that were delivered, each of which the worker has settled.

        Raises:
            LedgerUnavailable: the worker can record nothing.
        """
        delivered: set[int] = set()
        waiting = iter(messages)
        while self._going() and (batch := list(islice(waiting, self._batch_size))):
            self._deliver(build(Delivery.of(m, timestamp=int(time.time())) for m in batch))
            delivered.update(message.row_id for message in batch)
        return delivered
