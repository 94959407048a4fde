"""The events of AWS as recorded in `tests/events`, which functions, runtime and tests share."""

from __future__ import annotations

import json
from typing import Any

from tests.helpers.paths import EVENTS


def recorded(name: str) -> dict[str, Any]:
    """Return an event of its own to the caller, who may change it.

    Args:
        name: of the file, without `.json`.
    """
    document: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return document
