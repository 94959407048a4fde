"""`POST /sync/`: the Lambda handler."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from functions.ingest import wiring
from functions.ingest.service import Ingest
from shared.errors import LedgerUnavailable, RequestRefused
from shared.http.event import Request, Response
from shared.http.responses import misrouted, refusal, unavailable

logger = logging.getLogger(__name__)

ROUTES = {"/sync": ("POST",)}

prepare = wiring.ingest
"""Called before the first request, so that an invalid setting stops the start."""


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one Function URL or HTTP API event (payload format 2.0)."""
    return respond(wiring.ingest(), event)


def respond(ingest: Ingest, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to an event, in the event's format."""
    request = Request.from_event(event)
    response = misrouted(request, ROUTES) or answer(ingest, request)
    return response.to_event(request.request_id)


def answer(ingest: Ingest, request: Request) -> Response:
    """Accept a request and return the contract's response."""
    about: dict[str, object] = {"request_id": request.request_id}
    try:
        row_id = ingest.accept(request)
    except RequestRefused as refused:
        wiring.refusals().add(ingest.client(request), refused)
        return refusal(refused, ingest.limit_status)
    except LedgerUnavailable as error:
        logger.warning("request not accepted", extra=about | {"reason": error})
        return unavailable()
    logger.debug("request accepted", extra=about | {"row_id": row_id})
    return Response.json(HTTPStatus.CREATED, {"detail": "Object queued for sync"})
