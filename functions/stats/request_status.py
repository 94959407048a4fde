"""`GET /sync/<signature>/`: what became of one request, for the client that made it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from shared.http.etag import is_unchanged, strong
from shared.http.event import Request, Response
from shared.http.responses import not_found
from shared.ledger.lookup import RequestStatus
from shared.ledger.rows import State

RETRYING = "retrying"
"""The state of a queued object that was attempted before; the ledger's is queued."""

_ENCODER = json.JSONEncoder(ensure_ascii=False)  # json.dumps would make one for each answer

SHORTEST_PAUSE, LONGEST_PAUSE = 1, 60
"""Seconds between two look-ups of a poller."""


def document(status: RequestStatus) -> dict[str, Any]:
    """Return the status as JSON; times are in UTC."""
    return {
        "state": RETRYING if status.retrying else status.state,
        "attempts": status.attempts,
        "next_attempt_at": _time(status.next_attempt_at),
        "reason": status.reason,
        "size_bytes": status.size_bytes,
        "sha256": status.sha256.hex() if status.sha256 is not None else None,
        "verified_by": status.verified_by,
        "created_at": _time(status.created_at),
        "synced_at": _time(status.synced_at),
        "failed_at": _time(status.failed_at),
        "request_id": status.request_id,
    }


def pause(status: RequestStatus) -> int | None:
    """Return the seconds after which it is worth looking again, None if nothing will change.

    ==================  ============  ========  =======
    state               next attempt  waited    seconds
    ==================  ============  ========  =======
    queued              due           0.1 s     1
    queued              due           100 s     10
    queued, retrying    due           3 h       60
    retrying            in 12.3 s     20 s      13
    retrying            in 8 min      20 s      60
    synced, failed, dismissed                   None
    ==================  ============  ========  =======

    A tenth of what it has waited: in a long backlog few look-ups are in vain, and none of them
    learns of the end much later than it came.
    """
    if status.state is not State.QUEUED:
        return None
    seconds = math.ceil(max(status.seconds_until, status.seconds_waited / 10))
    return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, seconds))


def response(request: Request, status: RequestStatus | None) -> Response:
    """Return the response to a look-up.

    Args:
        request: it may have an If-None-Match.
        status: None if no request has the signature.
    """
    if status is None:
        return not_found()
    content = _ENCODER.encode(document(status)).encode()
    headers = {"cache-control": "private, no-cache", "etag": strong(content)}
    seconds = pause(status)
    if seconds is not None:
        headers["retry-after"] = str(seconds)
    if is_unchanged(request.headers.get("if-none-match"), headers["etag"]):
        return Response(HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(HTTPStatus.OK, content, {"content-type": "application/json", **headers})


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
