"""`GET /sync/`, `/status.html` and `/openapi.json`: the Lambda handler.

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
from functions.stats.service import Stats
from shared.errors import LedgerUnavailable, TooManyRequests
from shared.http.event import Request, Response
from shared.http.responses import misrouted, refusal, unavailable

logger = logging.getLogger(__name__)

READ = ("GET", "HEAD")
ROUTES = {"/sync": READ, "/status.html": READ, "/openapi.json": READ}
INGEST = {"/sync": ("POST",)}
OPENAPI = Path(__file__).with_name("openapi.json")

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><dl>{parts}</dl></body></html>
"""

prepare = wiring.stats
"""Called before the first request, so that an invalid setting stops the start."""


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one Function URL or HTTP API event (payload format 2.0)."""
    return respond(wiring.stats(), event)


def respond(stats: Stats, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to an event, in the event's format."""
    request = Request.from_event(event)
    return (misrouted(request, ROUTES, INGEST) or answer(stats, request)).to_event()


def answer(stats: Stats, request: Request) -> Response:
    """Return the response of one of the routes."""
    try:
        match request.path.removesuffix("/"):
            case "/status.html":
                stats.admit(request, "status")
                return status_page(stats.health())
            case "/openapi.json":
                stats.admit(request, "openapi")
                return Response(
                    HTTPStatus.OK, OPENAPI.read_bytes(), {"content-type": "application/json"}
                )
        stats.admit(request)
        document = stats.counts(detail=request.query.get("detail", "") not in ("", "0"))
    except TooManyRequests as refused:
        return refusal(refused, stats.limit_status)
    except LedgerUnavailable as error:
        logger.warning(
            "counts unavailable", extra={"request_id": request.request_id, "reason": error}
        )
        return unavailable()
    return Response.json(HTTPStatus.OK, document, {"cache-control": "no-store"})


def status_page(health: Mapping[str, str]) -> Response:
    """Return the status page: 200 when every server answers, 503 naming those that do not."""
    well = all(state == "ok" for state in health.values())
    parts = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(state)}</dd>"
        for name, state in health.items()
    )
    title = "Service available" if well else "Service unavailable"
    headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}
    status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(status, _PAGE.format(title=title, parts=parts).encode(), headers)
