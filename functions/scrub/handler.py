"""Runs on a schedule: the Lambda handler that reads stored files again."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from functions.scrub import wiring

logger = logging.getLogger(__name__)

prepare = wiring.scrub
"""Called before the first run, so that an invalid setting stops the start."""

LAST_FILE_MILLISECONDS = 10_000
"""With less time left, a call records its results, and the next call continues."""


class Context(Protocol):
    """What the handler needs of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the platform stops the function."""
        ...


def handler(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """Answer a scheduled event, or `{"only": "requested"}` or `"run"`, with a report."""
    report = wiring.scrub().run(
        going=lambda: context.get_remaining_time_in_millis() > LAST_FILE_MILLISECONDS,
        only=event.get("only"),
    )
    if report.checked:
        logger.info("stored files verified", extra=dataclasses.asdict(report))
    return dataclasses.asdict(report)
