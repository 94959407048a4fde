"""The schedule's run: every file once in a number of days, spread evenly over them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from shared.ledger.runs import Run

ACTOR = "schedule"
"""Actor of the runs that no person asked for."""

GAVE_WAY = "gave way to a run that a person asked for; the schedule goes on with it afterwards"
"""Error of a scheduled run that was ended for a person's."""


def is_due(last: Run | None, now: datetime, period: timedelta) -> bool:
    """Return whether the schedule's next run over all files begins.

    Args:
        last: the schedule's newest run, None if there was none.
        now: the time of day (aware).
        period: within which every file is read once.
    """
    return last is None or last.begun_at + period < now


def slice_is_due(run: Run, now: datetime) -> bool:
    """Return whether a run has come to its next files; one that is not spread always has."""
    seconds = run.options["seconds"]
    if not seconds or run.position is None:
        return True
    share = (now - run.begun_at).total_seconds() / seconds
    first = run.options.get("after_id", 0)
    return bool(run.position - first <= (run.options["last_id"] - first) * share)


def after_id(run: Run) -> int:
    """Return the greatest row id that a run is done with, 0 at the beginning."""
    return int(run.options.get("after_id", 0) if run.position is None else run.position)


def rest_of(run: Run, now: datetime) -> dict[str, Any]:
    """Return the options of the run that goes on with one that gave way, in the time it had."""
    left = run.options["seconds"] - (now - run.begun_at).total_seconds()
    return {**run.options, "after_id": after_id(run), "seconds": max(left, 0.0)}
