"""`/admin/` and `/media/`: the Lambda handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.admin import wiring
from shared.http.event import Request
from shared.invocation import invocation
from shared.metrics import tally
from shared.metrics.answers import count_answer

prepare = wiring.admin
"""Called before the first request, so that an invalid setting stops the start."""


@tally.exported
@invocation
def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one Function URL or HTTP API event (payload format 2.0)."""
    request = Request.from_event(event)
    response = wiring.admin().answer(request)
    count_answer("admin", response.status)
    return response.to_event(request.request_id)
