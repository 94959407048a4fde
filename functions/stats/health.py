"""Health: what of the service works, what does not, since when, and why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.cache.interface import Cache
from shared.errors import CacheUnavailable, LedgerUnavailable, ServiceError
from shared.health import Part, Status, callbacks, delivery, paused, scheduler, worker
from shared.ledger.callbacks import PAUSE
from shared.ledger.ledger import Ledger
from shared.threads import failed_threads


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
        counts = self._ledger.callbacks.counts()
        if self._ledger.with_callbacks or counts.any:
            yield callbacks(counts, self._ledger.pauses.of([PAUSE]))

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


def threads(failed: str) -> Part:
    """Return the health of this process's own threads.

    Args:
        failed: those that failed lately, in one line.
    """
    return Part("threads", Status.DEGRADED if failed else Status.OK, failed)
