"""`GET /sync/`, `/sync/<signature>/`, health and description of the service: the Lambda handler.

It is the API's `$default` as well: a request without a route gets the contract's 404 or 405 here,
and HEAD, which has no routes of its own, is answered like GET (RFC 9110, section 9.3.2).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from functions.stats import request_status, wiring
from functions.stats.health import Report
from functions.stats.pages import NOT_STORED, front_page, status_page
from functions.stats.service import Stats
from shared.deadline import ends_with
from shared.errors import LedgerUnavailable, TooManyRequests
from shared.health import Status
from shared.http import status_address
from shared.http.event import Request, Response
from shared.http.responses import misrouted, not_found, refusal, unavailable
from shared.invocation import invocation
from shared.metrics import tally
from shared.metrics.answers import count_answer
from shared.outcomes import each, only
from shared.outcomes import together as jointly

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


@tally.exported
def together(
    events: Sequence[Mapping[str, Any]], context: object
) -> list[dict[str, Any] | Exception]:
    """Answer events that came at the same time, where a server has several at once.

    Returns:
        For each what `handler` would return, or the error that it would raise.
    """
    with ends_with(context):
        return respond_all(wiring.stats(), events)


TOGETHER = {"/sync": together, "/sync/{proxy+}": together}
"""By the route, see `local.handlers.joint`. Not health, which waits for servers that are away."""


def respond(stats: Stats, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to an event, in the event's format."""
    return only(respond_all(stats, [event]))


def respond_all(
    stats: Stats, events: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any] | Exception]:
    """Return for each event what `respond` would return, or the error that it would raise."""
    requests = [Request.from_event(event) for event in events]
    responses = zip(answer_all(stats, requests), requests, strict=True)
    return [
        response if isinstance(response, Exception) else _counted(response).to_event(one.request_id)
        for response, one in responses
    ]


def _counted(response: Response) -> Response:
    count_answer("stats", response.status)
    return response


def answer_all(stats: Stats, requests: Sequence[Request]) -> list[Response | Exception]:
    """Return the contract's responses to requests, and errors that it does not know."""
    outcomes: dict[int, Response | Exception] = {}
    kinds = [_answer_of(request) for request in requests]
    for kind in dict.fromkeys(kinds):
        places = [place for place, its in enumerate(kinds) if its is kind]
        asked = [requests[place] for place in places]
        outcomes |= zip(places, jointly(partial(kind, stats), asked), strict=True)
    answers = [(request, outcomes[place]) for place, request in enumerate(requests)]
    return each(lambda answer: _response(stats, *answer), answers)


_AnswerAll = Callable[[Stats, Sequence[Request]], Sequence[Response | Exception]]


def _answer_of(request: Request) -> _AnswerAll:
    """Return what answers requests of this kind, with one round trip to each server for all."""
    if request.method not in READ:
        return _answer_each
    if status_address.signature_in(request.path):
        return _answer_look_ups
    if request.path.removesuffix("/") == "/sync" and not request.query:
        return _answer_counts
    return _answer_each


def _answer_look_ups(stats: Stats, requests: Sequence[Request]) -> Sequence[Response | Exception]:
    signatures = [status_address.signature_in(request.path) or b"" for request in requests]
    found = zip(requests, stats.look_up_all(requests, signatures), strict=True)
    return [
        outcome if isinstance(outcome, Exception) else request_status.response(request, outcome)
        for request, outcome in found
    ]


def _answer_counts(stats: Stats, requests: Sequence[Request]) -> Sequence[Response | Exception]:
    refused = stats.admit_all(requests)
    if all(refused):
        return [error for error in refused if error]
    counts = Response.json(HTTPStatus.OK, stats.counts(detail=False), NOT_STORED)
    return [error or counts for error in refused]


def _answer_each(stats: Stats, requests: Sequence[Request]) -> Sequence[Response | Exception]:
    return each(partial(routed, stats), requests)


def _response(stats: Stats, request: Request, outcome: Response | Exception) -> Response:
    """Return the contract's response, also to a refusal and to an outage.

    Raises:
        Exception: any other that is the outcome.
    """
    if isinstance(outcome, Response):
        return outcome
    if isinstance(outcome, TooManyRequests):
        return refusal(outcome, stats.limit_status)
    if isinstance(outcome, LedgerUnavailable):
        about = {"request_id": request.request_id, "reason": outcome}
        logger.warning("request not answered", extra=about)
        return unavailable()
    raise outcome


def routed(stats: Stats, request: Request) -> Response:
    """Return the response to one request, of any route but a look-up's.

    Raises:
        TooManyRequests: the client is over one of its limits.
        LedgerUnavailable: PostgreSQL is unreachable.
    """
    unrouted = misrouted(request, ROUTES, INGEST)
    if unrouted:
        return unrouted
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
