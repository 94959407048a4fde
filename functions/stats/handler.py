"""`GET /sync/`, `/sync/<signature>/`, health and description of the service: the Lambda handler.

It is the API's `$default` as well: a request without a route gets the contract's 404 or 405 here,
and HEAD, which has no routes of its own, is answered like GET (RFC 9110, section 9.3.2).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from functions.stats import request_status, wiring
from functions.stats.health import Report
from functions.stats.pages import NOT_STORED, front_page, status_page
from functions.stats.service import Stats
from shared.errors import LedgerUnavailable, TooManyRequests
from shared.health import Status
from shared.http import status_address
from shared.http.event import Request, Response
from shared.http.responses import misrouted, not_found, refusal, unavailable
from shared.invocation import invocation
from shared.metrics import tally
from shared.metrics.answers import count_answer

logger = logging.getLogger(__name__)

READ = ("GET", "HEAD")
ROUTES = {
    "": READ,
    "/sync": READ,
    status_address.ROUTE: READ,
    "/status.html": READ,
    "/livez": READ,
    "/readyz": READ,
    "/openapi.json": READ,
    "/metrics": READ,
}
INGEST = {"/sync": ("POST",)}
OPENAPI = Path(__file__).with_name("openapi.json")

prepare = wiring.stats
"""Called before the first request, so that an invalid setting stops the start."""


@tally.exported
@invocation
def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one Function URL or HTTP API event (payload format 2.0)."""
    return respond(wiring.stats(), event)


def respond(stats: Stats, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to an event, in the event's format."""
    request = Request.from_event(event)
    response = misrouted(request, ROUTES, INGEST) or answer(stats, request)
    count_answer("stats", response.status)
    return response.to_event(request.request_id)


def answer(stats: Stats, request: Request) -> Response:
    """Return the response to a request that has a route."""
    try:
        return routed(stats, request)
    except TooManyRequests as refused:
        return refusal(refused, stats.limit_status)
    except LedgerUnavailable as error:
        logger.warning(
            "request not answered", extra={"request_id": request.request_id, "reason": error}
        )
        return unavailable()


def routed(stats: Stats, request: Request) -> Response:
    """Return the response of one of the routes.

    Raises:
        TooManyRequests: the client is over one of its limits.
        LedgerUnavailable: PostgreSQL is unreachable.
    """
    signature = status_address.signature_in(request.path)
    if signature:
        return request_status.response(request, stats.look_up(request, signature))
    match request.path.removesuffix("/"):
        case "":
            return front_page()
        case "/status.html":
            stats.admit(request, "status")
            return status_page(stats.health())
        case "/livez":
            # It concerns this process alone: restarting it helps no server.
            return Response.json(HTTPStatus.OK, {"status": Status.OK}, NOT_STORED)
        case "/readyz":
            stats.admit(request, "readyz")
            return readiness(stats.health())
        case "/openapi.json":
            stats.admit(request, "openapi")
            content_type = {"content-type": "application/json"}
            return Response(HTTPStatus.OK, OPENAPI.read_bytes(), content_type)
        case "/metrics":
            return metrics_page(stats, request)
    stats.admit(request)
    document = stats.counts(detail=request.query.get("detail", "") not in ("", "0"))
    return Response.json(HTTPStatus.OK, document, NOT_STORED)


def metrics_page(stats: Stats, request: Request) -> Response:
    """Return what Prometheus reads; to those who may not, and on AWS, there is no such page."""
    reader = wiring.metrics()
    if reader is None or not stats.may_read_metrics(request):
        return not_found()
    return Response(HTTPStatus.OK, reader.text(), {"content-type": reader.content_type})


def readiness(report: Report) -> Response:
    """Return the health as JSON: 200 as long as requests can be accepted, 503 otherwise."""
    down = report.status is Status.DOWN
    status = HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK
    return Response.json(status, report.document(), NOT_STORED)
