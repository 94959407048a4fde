"""A batch of queue messages: the Lambda handler that copies objects."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from functions.sync_worker import wiring
from functions.sync_worker.service import SyncWorker
from shared.lambda_context import Context
from shared.ledger.rows import Outcome
from shared.metrics import tally
from shared.metrics.catalog import DEAD_LETTERS
from shared.queue import rmq_event
from shared.queue.interface import Queue
from shared.queue.messages import SyncMessage, request_id_of

logger = logging.getLogger(__name__)

WITH_CALLBACK = (Outcome.SYNCED.value, Outcome.FAILED.value)
"""The outcomes that the client is told of."""

prepare = wiring.prepare
"""Called before the first batch, so that an invalid setting prevents the start, and no message
waits for a worker that is still loading."""


@tally.exported
def handler(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """Answer one `aws:rmq` event with the number of attempts by how they ended.

    The event source mapping has no partial success: an error repeats the whole batch, without end.
    So every message is settled here, and an error is raised only if nothing can be recorded.
    """
    outcomes = work(wiring.worker(), wiring.queue, event, context)
    if any(outcomes.get(outcome) for outcome in WITH_CALLBACK):
        wiring.start_notify()()
    return outcomes


def work(
    worker: SyncWorker, queue: Callable[[], Queue], event: Mapping[str, Any], context: Context
) -> dict[str, int]:
    """Settle every message of an event, and return the number of attempts by how they ended.

    Args:
        worker: copies the objects of the rows that messages name.
        queue: returns the queue that keeps dead letters; called only if there is one to keep.
        event: an `aws:rmq` event.
        context: of the invocation.
    """
    messages = rmq_event.read(event)
    outcomes = worker.work(
        (m.row_id for m in messages if isinstance(m, SyncMessage)),
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
        # Lambda's own context has no such method: its platform does not stop a function early.
        is_stopping=getattr(context, "is_stopping", lambda: False),
    )
    for message in messages:
        if isinstance(message, rmq_event.Unreadable):
            about = {"reason": message.reason, "request_id": request_id_of(message.headers)}
            logger.error("unreadable message", extra=about)
            tally.count(DEAD_LETTERS)
            queue().dead_letter(message.data, message.reason, message.headers)
    return {outcome.value: number for outcome, number in outcomes.items()}
