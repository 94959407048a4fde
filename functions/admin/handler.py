"""`/admin/` and `/media/`: the Lambda handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.admin import wiring
from shared.http.event import Request


def prepare() -> None:
    """Build the service, so that an invalid setting shows at the start, not to a client.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    wiring.admin()


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one Function URL or HTTP API event (payload format 2.0)."""
    return wiring.admin().answer(Request.from_event(event)).to_event()
