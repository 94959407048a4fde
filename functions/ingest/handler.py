"""`POST /sync/`: the Lambda handler."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from functions.ingest import wiring
from functions.ingest.service import Ingest
from shared.config import renewal
from shared.errors import LedgerUnavailable, RequestRefused, SignatureInvalid
from shared.http import status_address
from shared.http.event import Request, Response
from shared.http.responses import misrouted, refusal, unavailable
from shared.invocation import invocation
from shared.metrics import tally
from shared.metrics.answers import count_answer
from shared.metrics.catalog import STAGE_SECONDS

logger = logging.getLogger(__name__)

ROUTES = {"/sync": ("POST",), status_address.ROUTE: ()}
STATS = {status_address.ROUTE: ("GET", "HEAD")}

prepare = wiring.ingest
"""Called before the first request, so that an invalid setting stops the start."""


@tally.exported
@invocation
def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one Function URL or HTTP API event (payload format 2.0)."""
    return respond(wiring.ingest(), event)


def respond(ingest: Ingest, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to an event, in the event's format."""
    request = Request.from_event(event)
    unrouted = misrouted(request, ROUTES, STATS)
    if unrouted:
        count_answer("ingest", unrouted.status)
    return (unrouted or answer(ingest, request)).to_event(request.request_id)


def answer(ingest: Ingest, request: Request) -> Response:
    """Accept a request and return the contract's response."""
    about: dict[str, object] = {"request_id": request.request_id}
    begun = time.perf_counter()
    try:
        accepted = ingest.accept(request)
    except RequestRefused as refused:
        if isinstance(refused, SignatureInvalid) and renewal.renew():
            return answer(wiring.ingest(), request)  # by the keys of this moment
        wiring.refusals().add(ingest.client(request), refused)
        response = refusal(refused, ingest.limit_status)
        count_answer("ingest", response.status, refused)
        return response
    except LedgerUnavailable as error:
        logger.warning("request not accepted", extra=about | {"reason": error})
        count_answer("ingest", HTTPStatus.SERVICE_UNAVAILABLE, error)
        return unavailable()
    logger.debug("request accepted", extra=about | {"row_id": accepted.row_id})
    count_answer("ingest", HTTPStatus.CREATED)
    tally.observe(STAGE_SECONDS, (time.perf_counter() - begun,), "accepted")
    location = {"location": status_address.of(accepted.signature)}
    return Response.json(HTTPStatus.CREATED, {"detail": "Object queued for sync"}, location)
