"""Runs on a schedule: the Lambda handler that reads stored files again."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from functions.scrub import wiring
from shared.invocation import invocation
from shared.lambda_context import Context

logger = logging.getLogger(__name__)

prepare = wiring.scrub
"""Called before the first run, so that an invalid setting stops the start."""

LAST_FILE_MILLISECONDS = 10_000
"""With less time left, a call records its results, and the next call continues."""


@invocation
def handler(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """Answer one scheduled event with what was done.

    A command adds `only`, "requested" or "run", and for the former `bytes_per_second`.
    """
    report = wiring.scrub().run(
        going=lambda: context.get_remaining_time_in_millis() > LAST_FILE_MILLISECONDS,
        only=event.get("only"),
        bytes_per_second=event.get("bytes_per_second"),
    )
    if report.checked:
        logger.info("stored files verified", extra=dataclasses.asdict(report))
    return dataclasses.asdict(report)
