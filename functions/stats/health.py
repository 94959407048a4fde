"""Health: what of the service works, what does not, since when, and why."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.cache.interface import Cache
from shared.errors import CacheUnavailable, LedgerUnavailable, ServiceError
from shared.ledger.heartbeats import SCHEDULER, WORKER, Heartbeat
from shared.ledger.ledger import Ledger
from shared.ledger.pauses import Pause
from shared.threads import failed_threads

SILENT_SECONDS = 180.0
"""Without a heartbeat for so long, three runs of AWS's schedule, a process counts as gone."""

WAITING_SECONDS = 900.0
"""An object that has waited longer needs attention: its own retries may take as long as this."""


class Status(enum.StrEnum):
    """How well something works; the worst of its parts is the service's."""

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
        since: when that began (aware), None where it is not known.
    """

    name: str
    status: Status = Status.OK
    reason: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How well the service works.

    Attributes:
        parts: each of its parts.
    """

    parts: tuple[Part, ...]

    @property
    def status(self) -> Status:
        """The worst status of a part."""
        found = {part.status for part in self.parts}
        return next((s for s in (Status.DOWN, Status.DEGRADED) if s in found), Status.OK)

    def document(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "status": self.status,
            "parts": {
                part.name: {
                    "status": part.status,
                    **({"reason": part.reason} if part.reason else {}),
                    **({"since": part.since.isoformat(timespec="seconds")} if part.since else {}),
                }
                for part in self.parts
            },
        }


class HealthCheck:
    """Checks every part.

    Only the database and the cache are asked directly. The processes that use the other servers
    report in the ledger what they found there, so that this costs the same wherever it runs.

    Args:
        ledger: where objects, heartbeats and pauses are.
        cache: where requests are counted.
        now: returns the time (aware).
    """

    def __init__(
        self,
        ledger: Ledger,
        cache: Cache,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._cache = cache
        self._now = now
        self._lock = threading.Lock()
        self._failing_since: dict[str, datetime] = {}

    def run(self) -> Report:
        """Return how well everything works."""
        cache = self._asked("cache", self._cache.ping, CacheUnavailable, Status.DEGRADED)
        database = self._asked("database", self._ledger.ping, LedgerUnavailable, Status.DOWN)
        parts = [database, cache, threads(failed_threads())]
        if database.status is Status.OK:
            try:
                parts += self._recorded()
            except LedgerUnavailable as error:
                parts[0] = Part("database", Status.DOWN, str(error))
        return Report(tuple(parts))

    def _recorded(self) -> Iterator[Part]:
        """Return the parts whose health is recorded in the ledger."""
        waited = self._ledger.oldest_queued_seconds() or 0.0
        beats = self._ledger.heartbeats.all()
        now = self._now()
        yield scheduler(beats, now)
        yield worker(beats, waited, now)
        pauses = self._ledger.pauses.all()
        yield paused("source", pauses)
        yield paused("storage", pauses)
        yield delivery(waited, now)

    def _asked(
        self, name: str, ask: Callable[[], None], error: type[ServiceError], failing: Status
    ) -> Part:
        try:
            ask()
        except error as met:
            with self._lock:
                since = self._failing_since.setdefault(name, self._now())
            return Part(name, failing, str(met), since)
        with self._lock:
            self._failing_since.pop(name, None)
        return Part(name)


def scheduler(beats: Iterable[Heartbeat], now: datetime) -> Part:
    """Return the health of the scheduled functions, and of the queue, which only they report.

    ======================================  ========  ===========================
    last heartbeat                          status    reason
    ======================================  ========  ===========================
    within `SILENT_SECONDS`, nothing wrong  ok
    within `SILENT_SECONDS`, with a detail  degraded  the detail
    before                                  degraded  it has not run since
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
        return Part("scheduler", Status.DEGRADED, "it has not run since", _before(now, last.age))
    return Part("scheduler", Status.DEGRADED if last.detail else Status.OK, last.detail or "")


def worker(beats: Iterable[Heartbeat], waited: float, now: datetime) -> Part:
    """Return the health of the workers: an idle one is silent, so only waiting objects tell.

    Args:
        beats: the last heartbeats, the latest first.
        waited: seconds that the oldest queued object has waited.
        now: the time.
    """
    last = next((beat for beat in beats if beat.component == WORKER), None)
    if last is not None and last.age <= SILENT_SECONDS:
        return Part("worker", Status.DEGRADED if last.detail else Status.OK, last.detail or "")
    if waited > SILENT_SECONDS:
        reason = "objects wait, and no worker has reported"
        since = _before(now, last.age if last else waited)
        return Part("worker", Status.DEGRADED, reason, since)
    return Part("worker")


def threads(failed: str) -> Part:
    """Return the health of this process's own threads.

    Args:
        failed: those that failed lately, in one line.
    """
    return Part("threads", Status.DEGRADED if failed else Status.OK, failed)


def paused(name: str, pauses: Sequence[Pause]) -> Part:
    """Return the health of the source or of the storage, without the names of machines.

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


def _before(now: datetime, seconds: float) -> datetime:
    return now - timedelta(seconds=seconds)
