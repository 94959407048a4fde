"""The dashboard: what the service does now, did in the last hour and day, and how it stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from functions.admin.dashboard.health import Probes
from functions.admin.dashboard.plots import latency_plot, rate_plot
from functions.admin.dashboard.rates import begin, period
from functions.admin.records import Objects
from shared.errors import FileUnreadable
from shared.ledger.ledger import Ledger
from shared.storage.reading import StoredFiles

MINUTE = timedelta(minutes=1)
PERIODS = (("last hour", MINUTE, 60), ("last day", 15 * MINUTE, 96))
"""Name, length of a step, number of steps."""

NEARLY_FULL = 0.1
"""Below this part of free room the storage is shown as nearly full."""


class Dashboard:
    """Gathers what the dashboard shows.

    Args:
        ledger: counts.
        objects: rates and reasons.
        files: the storage.
        probes: the servers.
        clock: gives the time now, aware.
    """

    def __init__(
        self,
        ledger: Ledger,
        objects: Objects,
        files: StoredFiles,
        probes: Probes,
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._objects = objects
        self._files = files
        self._probes = probes
        self._clock = clock

    def values(self) -> dict[str, Any]:
        """Gives what the template shows.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        now = self._clock()
        health = self._probes.ask()
        periods = []
        for name, length, steps in PERIODS:
            begins = begin(now, length, steps)
            found = period(name, self._objects.rates(begins, length), begins, length, steps)
            periods.append((found, rate_plot(found), latency_plot(found)))
        reasons = self._objects.failure_reasons()
        return {
            "now": now,
            "counts": self._ledger.counts(),
            "oldest": self._ledger.oldest_queued_seconds(),
            "periods": periods,
            "reasons": reasons,
            "explained": sum(count for _, count in reasons),
            "space": self._space(),
            "health": health,
        }

    def outage(self) -> dict[str, Any]:
        """Gives what can be shown without the ledger."""
        return {"now": self._clock(), "health": self._probes.ask(), "space": self._space()}

    def _space(self) -> dict[str, Any] | None:
        try:
            space = self._files.space()
        except FileUnreadable:
            return None
        part = space.used / space.total if space.total else 1.0
        return {
            "used": space.used,
            "free": space.free,
            "total": space.total,
            "percent": round(100 * part),
            "nearly_full": 1 - part < NEARLY_FULL,
        }
