"""The schedule, and without a broker the way from the ledger to the worker."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.shutdown import Stop
from shared.errors import Unavailable
from shared.queue import rmq_event
from shared.queue.messages import SyncMessage
from shared.queue.rmq_event import Delivery

logger = logging.getLogger(__name__)

DIRECT_SECONDS = 0.2
"""How often the ledger is asked for due rows where no broker publishes them."""


class DirectQueue:
    """A `shared.queue.interface.Queue` without a broker: what is announced is delivered at once.

    The worker gets the same event as from RabbitMQ.

    Args:
        handler: the worker's handler.
        batch_size: messages in one event.
        context: makes the context object of one invocation.
    """

    def __init__(
        self,
        handler: Callable[[Mapping[str, Any], Any], object],
        batch_size: int,
        context: Callable[[], object],
    ) -> None:
        self._handler = handler
        self._batch_size = batch_size
        self._context = context

    def publish_all(self, messages: Iterable[SyncMessage]) -> set[int]:
        """Delivers the messages; gives the row ids, each of which the worker has settled."""
        delivered: set[int] = set()
        waiting = iter(messages)
        while batch := list(itertools.islice(waiting, self._batch_size)):
            deliveries = [Delivery.of(message, timestamp=int(time.time())) for message in batch]
            self._handler(rmq_event.build(deliveries), self._context())
            delivered.update(message.row_id for message in batch)
        return delivered

    def depth(self) -> int:
        """Gives zero: nothing waits between the ledger and the worker."""
        return 0

    def dead_letter(self, data: bytes, reason: str, headers: Mapping[str, object]) -> None:
        """Does nothing: no stranger can put a message here."""

    def close(self) -> None:
        """Does nothing: nothing is open."""


def repeat(tick: Callable[[], object], seconds: float, stop: Stop, name: str) -> None:
    """Calls `tick` again and again until told to stop.

    A server that is unreachable is said once, when it goes and when it is back.

    Args:
        tick: what is done each time.
        seconds: pause between two calls.
        stop: set by whoever wants an end; the call that is running is finished.
        name: what a person calls it, for the log.
    """
    out_of_reach = False
    while not stop.is_set():
        try:
            tick()
        except Unavailable as error:
            if not out_of_reach:
                logger.warning("%s waits", name, extra={"reason": error})
            out_of_reach = True
        except Exception:
            # One run that fails must not end all the later ones.
            logger.exception("%s failed", name)
        else:
            if out_of_reach:
                logger.info("%s goes on", name)
            out_of_reach = False
        stop.wait(seconds)
