"""A batch of queue messages: the Lambda handler that copies objects."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from functions.sync_worker import wiring
from shared.queue import rmq_event
from shared.queue.messages import SyncMessage

logger = logging.getLogger(__name__)

prepare = wiring.worker
"""Called before the first batch, so that an invalid setting stops the start."""


class Context(Protocol):
    """What the handler needs of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the platform stops the function."""
        ...


def handler(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """Answer one `aws:rmq` event with the number of attempts by how they ended.

    The event source mapping has no partial success: an error repeats the whole batch, without end.
    So every message is settled here, and an error is raised only if nothing can be recorded.
    """
    messages = rmq_event.read(event)
    outcomes = wiring.worker().work(
        (m.row_id for m in messages if isinstance(m, SyncMessage)),
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    dead_letter([m for m in messages if isinstance(m, rmq_event.Unreadable)])
    return {outcome.value: number for outcome, number in outcomes.items()}


def dead_letter(unreadable: Sequence[rmq_event.Unreadable]) -> None:
    """Move messages that name no row to the dead-letter queue, with their reason."""
    for message in unreadable:
        logger.error("unreadable message", extra={"reason": message.reason})
        wiring.queue().dead_letter(message.data, message.reason, message.headers)
