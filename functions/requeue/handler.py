"""Runs on a schedule: the Lambda handler that publishes due rows again."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from functions.requeue import wiring

logger = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Answers one scheduled event with what was done."""
    requeue = wiring.requeue()
    report = dataclasses.asdict(requeue.run())
    if any(report.values()):
        logger.info("due rows announced", extra=report)
    if wiring.settings().on_lambda:
        # The template's alarms are made from this line; elsewhere GET /sync/?detail=1 tells.
        logger.info("ledger measured", extra=dataclasses.asdict(requeue.measure()))
    return report
