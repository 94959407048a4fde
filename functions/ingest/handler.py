"""`POST /sync/`: the Lambda handler."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from functions.ingest import wiring
from functions.ingest.service import Ingest
from shared.errors import LedgerUnavailable, RequestRefused
from shared.http.event import Request, Response
from shared.http.responses import misrouted, refusal, unavailable

logger = logging.getLogger(__name__)

ROUTES = {"/sync": ("POST",)}


def prepare() -> None:
    """Builds the service, so that a invalid setting is said at the start, not to a client.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    wiring.ingest()


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one Function URL or HTTP API event (payload format 2.0)."""
    request = Request.from_event(event)
    return (misrouted(request, ROUTES) or answer(wiring.ingest(), request)).to_event()


def answer(ingest: Ingest, request: Request) -> Response:
    """Accept a request and return the contract's answer."""
    try:
        row_id = ingest.accept(request)
    except RequestRefused as refused:
        logger.info("request refused", extra={"request_id": request.request_id, "reason": refused})
        return refusal(refused)
    except LedgerUnavailable as error:
        logger.warning(
            "request not accepted", extra={"request_id": request.request_id, "reason": error}
        )
        return unavailable()
    logger.debug("request accepted", extra={"request_id": request.request_id, "row_id": row_id})
    return Response.json(201, {"detail": "Object queued for sync"})
