"""The health of each part of the service, from what its processes report in the ledger: pure rules.

`functions/stats` responds with it, and `./sync status` shows it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.ledger.callbacks import CallbackCounts
from shared.ledger.heartbeats import SCHEDULER, WORKER, Heartbeat
from shared.ledger.pauses import Pause

SILENT_SECONDS = 180.0
"""After this long without a heartbeat, three runs of AWS's schedule, a process counts as gone."""

WAITING_SECONDS = 900.0
"""An object that has waited longer needs attention; ordinary retries can take this long."""


class Status(enum.StrEnum):
    """How well something works; the service has the worst status of its parts."""

    OK = "ok"
    """It works."""
    DEGRADED = "degraded"
    """Requests are accepted, but something waits or is missing."""
    DOWN = "down"
    """No request can be accepted."""


@dataclass(frozen=True, slots=True)
class Part:
    """How well one part works.

    Attributes:
        name: of the part.
        status: how well it works.
        reason: what is wrong with it, empty if nothing is.
        since: when that began (aware), None if unknown.
    """

    name: str
    status: Status = Status.OK
    reason: str = ""
    since: datetime | None = None


def scheduler(beats: Iterable[Heartbeat], now: datetime) -> Part:
    """Return the health of the scheduled functions, and of the queue, which only they report.

    ======================================  ========  ===========================
    last heartbeat                          status    reason
    ======================================  ========  ===========================
    within `SILENT_SECONDS`, nothing wrong  ok
    within `SILENT_SECONDS`, with a detail  degraded  the detail
    before                                  degraded  it has not run
    none in a day                           ok        it was never set up, or is new
    ======================================  ========  ===========================

    Args:
        beats: the last heartbeats, the latest first.
        now: the time.
    """
    last = next((beat for beat in beats if beat.component == SCHEDULER), None)
    if last is None:
        return Part("scheduler")
    if last.age > SILENT_SECONDS:
        return Part("scheduler", Status.DEGRADED, "it has not run", _before(now, last.age))
    return Part("scheduler", Status.DEGRADED if last.detail else Status.OK, last.detail or "")


def worker(beats: Iterable[Heartbeat], waited: float, now: datetime) -> Part:
    """Return the health of the workers; idle ones send nothing, so only waiting objects show it.

    Args:
        beats: the last heartbeats, the latest first.
        waited: seconds that the oldest queued object has waited.
        now: the current time.
    """
    last = next((beat for beat in beats if beat.component == WORKER), None)
    if last is not None and last.age <= SILENT_SECONDS:
        return Part("worker", Status.DEGRADED if last.detail else Status.OK, last.detail or "")
    if waited > SILENT_SECONDS:
        reason = "objects wait, and no worker has reported"
        since = _before(now, last.age if last else waited)
        return Part("worker", Status.DEGRADED, reason, since)
    return Part("worker")


def paused(name: str, pauses: Sequence[Pause]) -> Part:
    """Return the health of the source or of the storage, without machine names.

    Args:
        name: "source" or "storage".
        pauses: the pauses, the oldest first.
    """
    for pause in pauses:
        if pause.part.partition(":")[0] == name:
            return Part(name, Status.DEGRADED, pause.reason, pause.since)
    return Part(name)


def delivery(waited: float, now: datetime) -> Part:
    """Return whether objects arrive in time.

    Args:
        waited: seconds that the oldest queued object has waited.
        now: the time.
    """
    if waited <= WAITING_SECONDS:
        return Part("delivery")
    return Part("delivery", Status.DEGRADED, "the oldest object waits", _before(now, waited))


def callbacks(counts: CallbackCounts, pauses: Sequence[Pause]) -> Part:
    """Return whether the client is told what became of its objects; never down, for files arrive.

    Args:
        counts: of callbacks.
        pauses: of the receiver. Its reason is not passed on: it may name the client's server.
    """
    for pause in pauses:
        reason = "the receiver accepts no callbacks"
        return Part("callbacks", Status.DEGRADED, reason, pause.since)
    if counts.undelivered:
        return Part("callbacks", Status.DEGRADED, f"{counts.undelivered} are undelivered")
    return Part("callbacks")


def _before(now: datetime, seconds: float) -> datetime:
    return now - timedelta(seconds=seconds)
