"""What every invocation of a function begins and ends with, whatever the function does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from shared.config import renewal
from shared.deadline import ends_with
from shared.errors import SecretsUnavailable
from shared.http.event import Request
from shared.http.responses import unavailable

logger = logging.getLogger(__name__)

Handler = Callable[[Any, Any], dict[str, Any]]


def invocation(handler: Handler) -> Handler:
    """Decorate a function's handler.

    Its waits end before its time does. Secrets are read again if that is due, and are marked stale
    once the function fails or a server is unreachable. A request that comes while Secrets Manager
    does not answer gets the contract's 503.
    """

    @wraps(handler)
    def invoke(event: Any, context: Any) -> dict[str, Any]:
        with ends_with(context):
            try:
                renewal.renew_if_due()
                answer = handler(event, context)
            except SecretsUnavailable as error:
                if not _is_http(event):
                    raise
                logger.warning("answered 503: secrets could not be read", extra={"reason": error})
                return unavailable().to_event(Request.from_event(event).request_id)
            except Exception:
                renewal.mark_stale()
                raise
        if answer.get("statusCode") == HTTPStatus.SERVICE_UNAVAILABLE:
            renewal.mark_stale()
        return answer

    return invoke


def _is_http(event: Any) -> bool:
    match event:
        case {"requestContext": {"http": _}}:
            return True
    return False
