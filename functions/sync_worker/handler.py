"""A batch of queue messages: the Lambda handler that copies objects."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from functions.sync_worker import wiring
from functions.sync_worker.service import SyncWorker
from shared.errors import LedgerUnavailable, QueueUnavailable
from shared.invocation import invocation
from shared.lambda_context import Context
from shared.ledger.rows import Outcome
from shared.metrics import tally
from shared.metrics.catalog import DEAD_LETTERS
from shared.queue import rmq_event, sqs_event
from shared.queue.interface import Queue
from shared.queue.messages import SyncMessage, request_id_of
from shared.queue.rmq_event import Unreadable

logger = logging.getLogger(__name__)

WITH_CALLBACK = (Outcome.SYNCED.value, Outcome.FAILED.value)
"""The outcomes that the client is told of."""

prepare = wiring.prepare
"""Called before the first batch, so that an invalid setting prevents the start, and no message
waits for a worker that is still loading."""


@tally.exported
@invocation
def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Answer an `aws:rmq` event with the number of attempts by how they ended.

    An `aws:sqs` event is answered with the messages that return to the queue.
    """
    response: dict[str, Any]
    if sqs_event.is_batch(event):
        outcomes, failed = work_sqs(wiring.worker(), wiring.queue, event, context)
        response = sqs_event.response(failed)
    else:
        response = outcomes = work(wiring.worker(), wiring.queue, event, context)
    if any(outcomes.get(outcome) for outcome in WITH_CALLBACK):
        wiring.start_notify()()
    return response


def work(
    worker: SyncWorker, queue: Callable[[], Queue], event: Mapping[str, Any], context: Context
) -> dict[str, int]:
    """Settle every message of an `aws:rmq` event, and return the number of attempts by outcome.

    The event source mapping has no partial success: an error repeats the whole batch, without end.
    So every message is settled here, and an error is raised only if nothing can be recorded.

    Args:
        worker: copies the objects of the rows that messages name.
        queue: returns the queue that keeps dead letters; called only if there is one to keep.
        event: the event.
        context: of the invocation.
    """
    messages = rmq_event.read(event)
    rows = (m.row_id for m in messages if isinstance(m, SyncMessage))
    outcomes = _copy(worker, rows, context)
    for message in messages:
        if isinstance(message, Unreadable):
            _dead_letter(queue, message)
    return outcomes


def work_sqs(
    worker: SyncWorker, queue: Callable[[], Queue], event: Mapping[str, Any], context: Context
) -> tuple[dict[str, int], list[str]]:
    """Settle the messages of an `aws:sqs` event.

    A message is settled once its row is synced, failed or due again. The ledger delivers what is
    due, so neither a retry nor a pause returns a message, which would count its receives.

    Args:
        worker: as of `work`.
        queue: as of `work`.
        event: the event.
        context: of the invocation.

    Returns:
        The number of attempts by outcome, and the ids of the messages that could not be settled.
    """
    received = sqs_event.read(event)
    rows = {m.message_id: m.content.row_id for m in received if isinstance(m.content, SyncMessage)}
    outcomes: dict[str, int] = {}
    failed: list[str] = []
    try:
        outcomes = _copy(worker, rows.values(), context)
    except LedgerUnavailable as error:
        logger.warning("messages returned", extra={"reason": error, "count": len(rows)})
        failed += rows
    for message in received:
        if isinstance(message.content, Unreadable):
            try:
                _dead_letter(queue, message.content)
            except QueueUnavailable as error:
                logger.warning("messages returned", extra={"reason": error, "count": 1})
                failed.append(message.message_id)
    return outcomes, failed


def _copy(worker: SyncWorker, row_ids: Iterable[int], context: Context) -> dict[str, int]:
    outcomes = worker.work(
        row_ids,
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
        # Lambda's own context has no such method: its platform does not stop a function early.
        is_stopping=getattr(context, "is_stopping", lambda: False),
    )
    return {outcome.value: number for outcome, number in outcomes.items()}


def _dead_letter(queue: Callable[[], Queue], message: Unreadable) -> None:
    about = {"reason": message.reason, "request_id": request_id_of(message.headers)}
    logger.error("unreadable message", extra=about)
    tally.count(DEAD_LETTERS)
    queue().dead_letter(message.data, message.reason, message.headers)
