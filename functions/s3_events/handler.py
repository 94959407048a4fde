"""A store tells of new objects, by S3, EventBridge, SNS, SQS or `POST /events/s3/`: the handler."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from functions.s3_events import documents, sqs, wiring
from functions.s3_events.endpoint import Endpoint
from functions.s3_events.service import S3Events
from shared.errors import LedgerUnavailable, RequestRefused
from shared.http.body_limits import EVENTS
from shared.http.event import Request, Response
from shared.http.request_id import accepted
from shared.http.responses import misrouted, not_found, refusal, unavailable
from shared.invocation import invocation
from shared.metrics import tally
from shared.metrics.answers import count_answer

logger = logging.getLogger(__name__)

ROUTES = {EVENTS: ("POST",)}

prepare = wiring.prepare
"""Called before the first request, so that an invalid setting stops the start."""


@tally.exported
@invocation
def handler(event: Any, context: object) -> dict[str, Any]:
    """Answer one event.

    Raises:
        LedgerUnavailable: nothing is recorded, so that Lambda invokes the function again; of the
            messages of a queue and of HTTP requests the response tells.
    """
    match event:
        case {"requestContext": {"http": _}}:
            return respond(wiring.endpoint(), event)
    return invoked(wiring.s3_events(), event, accepted(getattr(context, "aws_request_id", None)))


def invoked(events: S3Events, event: Any, request_id: str) -> dict[str, Any]:
    """Record what an event of AWS tells, and return the response to it.

    Raises:
        LedgerUnavailable: as `handler`.
    """
    if not sqs.is_batch(event):
        wanted, _ = events.sift(documents.read(event))
        return dataclasses.asdict(events.record(wanted, request_id))
    sifted = {m.message_id: events.sift(m.happenings)[0] for m in sqs.messages(event)}
    wanted = {key: created for of_message in sifted.values() for key, created in of_message.items()}
    try:
        events.record(wanted, request_id)
    except LedgerUnavailable as error:
        failed = [message_id for message_id, of_message in sifted.items() if of_message]
        logger.warning("events not recorded", extra={"reason": error, "count": len(failed)})
        return sqs.response(failed)
    return sqs.response([])


def respond(endpoint: Endpoint | None, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to an HTTP event, in the event's format."""
    request = Request.from_event(event)
    if endpoint is None:  # without a secret there is no such path
        return _counted(not_found()).to_event(request.request_id)
    unrouted = misrouted(request, ROUTES)
    response = _counted(unrouted) if unrouted else answer(endpoint, request)
    return response.to_event(request.request_id)


def answer(endpoint: Endpoint, request: Request) -> Response:
    """Record what a request tells, and return the response to it."""
    try:
        report = endpoint.accept(request)
    except RequestRefused as refused:
        wiring.refusals().add(endpoint.client(request), refused)
        response = refusal(refused, endpoint.limit_status)
        count_answer("s3_events", response.status, refused)
        return response
    except LedgerUnavailable as error:
        about = {"request_id": request.request_id, "reason": error}
        logger.warning("events not recorded", extra=about)
        count_answer("s3_events", HTTPStatus.SERVICE_UNAVAILABLE, error)
        return unavailable()
    return _counted(Response.json(HTTPStatus.OK, dataclasses.asdict(report)))


def _counted(response: Response) -> Response:
    count_answer("s3_events", response.status)
    return response
