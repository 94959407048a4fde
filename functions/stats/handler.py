"""`GET /sync/`, the health and the description of the service: the Lambda handler.

It is the API's `$default` as well: a request without a route gets the contract's 404 or 405 here,
and HEAD, which has no routes of its own, is answered like GET (RFC 9110, section 9.3.2).
"""

from __future__ import annotations

import html
import logging
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from functions.stats import wiring
from functions.stats.health import Report
from functions.stats.service import Stats
from shared.errors import LedgerUnavailable, TooManyRequests
from shared.health import Part, Status
from shared.http.event import Request, Response
from shared.http.responses import misrouted, refusal, unavailable
from shared.metrics import tally
from shared.metrics.answers import count_answer

logger = logging.getLogger(__name__)

READ = ("GET", "HEAD")
ROUTES = {
    "/sync": READ,
    "/status.html": READ,
    "/livez": READ,
    "/readyz": READ,
    "/openapi.json": READ,
    "/metrics": READ,
}
INGEST = {"/sync": ("POST",)}
OPENAPI = Path(__file__).with_name("openapi.json")

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><dl>{parts}</dl></body></html>
"""

NOT_STORED = {"cache-control": "no-store"}

prepare = wiring.stats
"""Called before the first request, so that an invalid setting stops the start."""


@tally.exported
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
    """Return the response of one of the routes."""
    try:
        match request.path.removesuffix("/"):
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
                return Response(
                    HTTPStatus.OK, OPENAPI.read_bytes(), {"content-type": "application/json"}
                )
            case "/metrics":
                return metrics_page(stats, request)
        stats.admit(request)
        document = stats.counts(detail=request.query.get("detail", "") not in ("", "0"))
    except TooManyRequests as refused:
        return refusal(refused, stats.limit_status)
    except LedgerUnavailable as error:
        logger.warning(
            "counts unavailable", extra={"request_id": request.request_id, "reason": error}
        )
        return unavailable()
    return Response.json(HTTPStatus.OK, document, NOT_STORED)


def metrics_page(stats: Stats, request: Request) -> Response:
    """Return what Prometheus reads; to those who may not, and on AWS, there is no such page."""
    reader = wiring.metrics()
    if reader is None or not stats.may_read_metrics(request):
        return Response.json(HTTPStatus.NOT_FOUND, {"detail": "Not found"})
    return Response(HTTPStatus.OK, reader.text(), {"content-type": reader.content_type})


def readiness(report: Report) -> Response:
    """Return the health as JSON: 200 as long as requests can be accepted, 503 otherwise."""
    down = report.status is Status.DOWN
    status = HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK
    return Response.json(status, report.document(), NOT_STORED)


def status_page(report: Report) -> Response:
    """Return the status page, the original's: 200 if the database and the cache answer, else 503.

    It shows the other parts as well.
    """
    answering = all(
        part.status is Status.OK for part in report.parts if part.name in {"database", "cache"}
    )
    parts = "".join(f"<dt>{html.escape(part.name)}</dt>{_described(part)}" for part in report.parts)
    title = "Service available" if answering else "Service unavailable"
    headers = {"content-type": "text/html; charset=utf-8", **NOT_STORED}
    status = HTTPStatus.OK if answering else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(status, _PAGE.format(title=title, parts=parts).encode(), headers)


def _described(part: Part) -> str:
    shown = [part.reason or part.status]
    if part.since:
        shown.append(f"since {part.since.isoformat(sep=' ', timespec='seconds')}")
    return "".join(f"<dd>{html.escape(text)}</dd>" for text in shown)
