"""The provider of a custom resource of CloudFormation: requests, and answers by their ResponseURL.

CloudFormation waits for the answer and knows nothing else of the function: without one it waits for
its own time limit, so every request is answered, a failure with its reason (CloudFormation user
guide, "Custom resource reference").
"""

from __future__ import annotations

import json
import logging
import threading
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from shared.errors import ServiceError

logger = logging.getLogger(__name__)

MARGIN_SECONDS = 30.0
"""How long before the platform stops the function a request is answered, whatever still runs."""

ATTEMPTS = 3
SECONDS = 8.0
"""Of an attempt to deliver the answer; three of them fit into the margin."""

REASON_CHARACTERS = 1_000
"""An answer has at most 4,096 bytes, and a character up to 12 in JSON."""

RESOURCE_ID = "ledger"
"""The same for every request, so that CloudFormation never replaces the resource."""


class Context(Protocol):
    """What of Lambda's context object is needed here."""

    log_group_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the platform stops the function."""


def is_request(event: Any) -> bool:
    """Return whether an event is a request of CloudFormation."""
    return isinstance(event, Mapping) and {"RequestType", "ResponseURL"} <= event.keys()


def answer(
    request: Mapping[str, Any], context: Context, work: Callable[[], object]
) -> dict[str, Any]:
    """Do what a request asks for, and return what it was answered with.

    Args:
        request: to create or update the resource, which `work` does, or to delete it, for which
            nothing is done: the data is the user's.
        context: of the invocation.
        work: brings the resource up to date; what it raises becomes the answer's reason.

    Raises:
        OSError: the answer cannot be delivered.
    """
    once = _Answer(request)
    left = context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    reason = f"migrate did not finish within {left:.0f} s; see log group {context.log_group_name}"
    timer = threading.Timer(max(0.0, left), once.give, (reason,))
    timer.daemon = True
    timer.start()
    failure = None
    try:
        if request["RequestType"] != "Delete":
            work()
    except ServiceError as error:
        logger.error("migrate failed", extra={"reason": error})  # noqa: TRY400 - it is no bug
        failure = str(error)
    except Exception as error:
        logger.exception("migrate failed")
        kind = type(error).__name__
        failure = f"migrate failed with {kind}; see log group {context.log_group_name}"
    finally:
        timer.cancel()
    return once.give(failure)


class _Answer:
    """The one answer to a request, given by whichever thread comes first."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._given: dict[str, Any] | None = None

    def give(self, failure: str | None) -> dict[str, Any]:
        """Deliver the answer unless one is delivered, and return the one that was.

        Args:
            failure: the reason, None for success.

        Raises:
            OSError: it cannot be delivered.
        """
        with self._lock:
            if self._given is None:
                answered = _answer(self._request, failure)
                _put(self._request["ResponseURL"], json.dumps(answered).encode())
                self._given = answered
            return self._given


def _answer(request: Mapping[str, Any], failure: str | None) -> dict[str, Any]:
    found = {name: request[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    found["PhysicalResourceId"] = request.get("PhysicalResourceId", RESOURCE_ID)
    found["Status"] = "FAILED" if failure else "SUCCESS"
    if failure:
        found["Reason"] = " ".join(failure.split())[:REASON_CHARACTERS]
    return found


def _put(url: str, body: bytes) -> None:
    # S3 has signed the URL for an empty type; urllib would send one of its own.
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own
        url, body, {"Content-Type": ""}, method="PUT"
    )
    for left in reversed(range(ATTEMPTS)):
        try:
            urllib.request.urlopen(request, timeout=SECONDS).close()  # noqa: S310 - as above
        except OSError:
            if not left:
                raise
        else:
            return
