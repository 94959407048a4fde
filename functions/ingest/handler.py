"""`POST /sync/`: the Lambda handler."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from functions.ingest import wiring
from functions.ingest.service import Accepted, Ingest
from shared.config import renewal
from shared.deadline import ends_with
from shared.errors import LedgerUnavailable, RequestRefused, SignatureInvalid
from shared.http import status_address
from shared.http.event import Request, Response
from shared.http.responses import misrouted, refusal, unavailable
from shared.invocation import invocation
from shared.metrics import tally
from shared.metrics.answers import count_answer
from shared.metrics.catalog import STAGE_SECONDS
from shared.outcomes import each, only

logger = logging.getLogger(__name__)

ROUTES = {"/sync": ("POST",), status_address.ROUTE: ()}
STATS = {status_address.ROUTE: ("GET", "HEAD")}

QUEUED = Response.json(HTTPStatus.CREATED, {"detail": "Object queued for sync"})
"""What every accepted request is answered, but for its own address."""

prepare = wiring.ingest
"""Called before the first request, so that an invalid setting stops the start."""


@tally.exported
@invocation
def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one Function URL or HTTP API event (payload format 2.0)."""
    return respond(wiring.ingest(), event)


@tally.exported
def together(
    events: Sequence[Mapping[str, Any]], context: object
) -> list[dict[str, Any] | Exception]:
    """Answer events that came at the same time, where a server has several at once.

    Returns:
        For each what `handler` would return, or the error that it would raise.
    """
    with ends_with(context):
        return respond_all(wiring.ingest(), events)


TOGETHER = {"/sync": together, "/sync/{proxy+}": together}
"""By the route, of which the second one takes `/sync/`; see `local.handlers.joint`."""


def respond(ingest: Ingest, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to an event, in the event's format."""
    return only(respond_all(ingest, [event]))


def respond_all(
    ingest: Ingest, events: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any] | Exception]:
    """Return for each event what `respond` would return, or the error that it would raise."""
    requests = [Request.from_event(event) for event in events]
    unrouted = [misrouted(request, ROUTES, STATS) for request in requests]
    routed = [r for r, response in zip(requests, unrouted, strict=True) if response is None]
    answers = iter(answer_all(ingest, routed))
    responses = [_counted(response) if response else next(answers) for response in unrouted]
    return [
        response if isinstance(response, Exception) else response.to_event(request.request_id)
        for response, request in zip(responses, requests, strict=True)
    ]


def _counted(unrouted: Response) -> Response:
    count_answer("ingest", unrouted.status)
    return unrouted


def answer_all(ingest: Ingest, requests: Sequence[Request]) -> list[Response | Exception]:
    """Accept requests and return the contract's responses, and errors that it does not know."""
    begun = time.perf_counter()
    outcomes = zip(requests, ingest.accept_all(requests), strict=True)
    return each(lambda outcome: _answer(ingest, *outcome, begun), outcomes)


def _answer(
    ingest: Ingest, request: Request, outcome: Accepted | Exception, begun: float
) -> Response:
    about: dict[str, object] = {"request_id": request.request_id}
    if isinstance(outcome, RequestRefused):
        if isinstance(outcome, SignatureInvalid) and renewal.renew():
            # By the keys of this moment.
            renewed = wiring.ingest()
            return _answer(renewed, request, renewed.accept_all([request])[0], begun)
        wiring.refusals().add(ingest.client(request), outcome)
        response = refusal(outcome, ingest.limit_status)
        count_answer("ingest", response.status, outcome)
        return response
    if isinstance(outcome, LedgerUnavailable):
        logger.warning("request not accepted", extra=about | {"reason": outcome})
        count_answer("ingest", HTTPStatus.SERVICE_UNAVAILABLE, outcome)
        return unavailable()
    if isinstance(outcome, Exception):
        raise outcome
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("request accepted", extra=about | {"row_id": outcome.row_id})
    count_answer("ingest", HTTPStatus.CREATED)
    tally.observe(STAGE_SECONDS, (time.perf_counter() - begun,), "accepted")
    location = status_address.of(outcome.signature)
    return Response(QUEUED.status, QUEUED.body, {**QUEUED.headers, "location": location})
