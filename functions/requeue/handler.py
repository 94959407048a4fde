"""Runs on a schedule: the Lambda handler that publishes due rows again."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from functions.requeue import wiring
from shared.config.startup import settings
from shared.invocation import invocation
from shared.lambda_context import Context
from shared.metrics import tally
from shared.metrics.exporting import cloudwatch

logger = logging.getLogger(__name__)

prepare = wiring.requeue
"""Called before the first run, so that an invalid setting stops the start."""

LAST_PORTION_MILLISECONDS = 10_000
"""With less time left a run takes no more rows: it ends cleanly, and the next run takes them."""


@tally.exported
@invocation
def handler(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """Answer one scheduled event with what was done."""
    requeue = wiring.requeue()
    if namespace := settings().metrics_namespace:
        # Before the run, which raises while the broker is away: then, too, alarms read them.
        cloudwatch(namespace).emit_gauges(requeue.gauges())
    report = dataclasses.asdict(
        requeue.run(
            going=lambda: context.get_remaining_time_in_millis() > LAST_PORTION_MILLISECONDS
        )
    )
    if any(report.values()):
        logger.info("due rows published", extra=report)
    return report
