"""Runs at once and on a schedule: the Lambda handler that delivers callbacks."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from functions.notify import wiring
from shared.invocation import invocation
from shared.lambda_context import Context
from shared.metrics import tally

logger = logging.getLogger(__name__)

prepare = wiring.notify
"""Called before the first run, so that an invalid setting stops the start."""

LAST_ATTEMPT_MILLISECONDS = 15_000
"""With less time left no attempt is started: one takes up to ten seconds, and is then recorded."""


@tally.exported
@invocation
def handler(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """Answer one scheduled event, or an invocation of the worker, with what was done."""
    notify = wiring.notify()
    report = dataclasses.asdict(
        notify.run(going=lambda: context.get_remaining_time_in_millis() > LAST_ATTEMPT_MILLISECONDS)
    )
    if any(report.values()):
        logger.info("callbacks delivered", extra=report)
    return report
