"""Runs on a schedule: the Lambda handler that compares the bucket with its copy."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from functions.reconcile import wiring
from shared.invocation import invocation
from shared.lambda_context import Context

logger = logging.getLogger(__name__)

prepare = wiring.reconcile
"""Called before the first run, so that an invalid setting stops the start."""

LAST_STEP_MILLISECONDS = 60_000
"""With less time left a call ends, and the next one goes on: a page may be asked for repeatedly."""

ACTOR = "invocation"
"""Actor of the runs that an invocation with an event of its own begins."""


@invocation
def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Answer one event with what was done.

    Args:
        event: of the schedule, or `{"begin": {"prefix": "a/", "enqueue": true}}` to begin a run;
            both are optional.
        context: of the platform.
    """
    reconcile = wiring.reconcile()
    if (wanted := event.get("begin")) is not None:
        prefix, enqueue = str(wanted.get("prefix", "")), wanted.get("enqueue", False) is True
        reconcile.begin(ACTOR, prefix, enqueue=enqueue)
    report = reconcile.run(
        going=lambda: context.get_remaining_time_in_millis() > LAST_STEP_MILLISECONDS
    )
    return dataclasses.asdict(report)
