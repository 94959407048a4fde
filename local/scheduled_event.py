"""The event that a schedule invokes its function with. Pure.

The shapes are those of EventBridge's user guide, "Scheduled events", and of the EventBridge
Scheduler user guide, "Managing targets".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from local.template import Schedule

ACCOUNT = "000000000000"
REGION = "local"
"""An account and a region that AWS does not have."""


def scheduled_event(schedule: Schedule, identity: str, moment: datetime) -> Any:
    """Return the event of one run.

    Args:
        schedule: of the template; its own `Input` is the whole event.
        identity: the event's id.
        moment: when the run is due.
    """
    if schedule.text is not None:
        return json.loads(schedule.text)
    service, kind = ("scheduler", "schedule/default") if schedule.scheduler else ("events", "rule")
    return {
        "version": "0",
        "id": identity,
        "detail-type": "Scheduled Event",
        "source": f"aws.{service}",
        "account": ACCOUNT,
        "time": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}/{schedule.name}"],
        # EventBridge Scheduler sends a text, a rule an object.
        "detail": "{}" if schedule.scheduler else {},
    }
