"""Runs on a schedule: the Lambda handler that announces due rows again."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

from functions.requeue import wiring

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001
    """Answers one scheduled event with what was done."""
    report = dataclasses.asdict(wiring.requeue().run())
    if any(report.values()):
        logger.info("due rows announced", extra=report)
    return report
