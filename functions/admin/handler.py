"""`/admin/` and `/media/`: the Lambda handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.admin import wiring
from shared.http.event import Request


def prepare() -> None:
    """Builds the service, so that a invalid setting is said at the start, not to a client.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    wiring.admin()


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answers one Function URL or HTTP API event (payload format 2.0)."""
    return wiring.admin().answer(Request.from_event(event)).to_event()
