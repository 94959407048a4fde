"""Publishing many messages, some at a time, and counting what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from shared.errors import QueueUnavailable
from shared.metrics import tally
from shared.metrics.catalog import MESSAGES_CONFIRMED, MESSAGES_LOST

Message = TypeVar("Message")


def publish_in_batches(
    messages: Sequence[Message], size: int, publish: Callable[[Sequence[Message]], Iterable[int]]
) -> set[int]:
    """Publish messages in batches until all are, or the broker cannot be reached.

    Args:
        messages: all of them.
        size: the most that are published at once.
        publish: publishes a batch, and returns the ids of the rows whose message is in the queue.

    Returns:
        The ids of the rows whose message is in the queue. A missing one was refused, or is of the
        batch at which the broker went away, or of a later one.

    Raises:
        QueueUnavailable: the broker took none, and then could not be reached.
    """
    confirmed: set[int] = set()
    unreachable = 0
    for start in range(0, len(messages), size):
        try:
            confirmed.update(publish(messages[start : start + size]))
        except QueueUnavailable:
            if not confirmed:
                raise
            unreachable = len(messages) - start
            break
    tally.count(MESSAGES_CONFIRMED, by=len(confirmed))
    refused = len(messages) - len(confirmed) - unreachable
    for reason, lost in (
        ("refused_or_unroutable", refused),
        ("broker_unreachable", unreachable),
    ):
        if lost:
            tally.count(MESSAGES_LOST, reason, by=lost)
    return confirmed
