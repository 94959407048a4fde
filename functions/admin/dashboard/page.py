"""The dashboard: what the service does now, did in the last hour and day, and its servers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from functions.admin.dashboard.health import HealthChecks
from functions.admin.dashboard.plots import latency_plot, rate_plot
from functions.admin.dashboard.rates import begin, period
from functions.admin.records import Records
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from shared.errors import FileUnreadable
from shared.http.event import Response
from shared.ledger.callbacks import PAUSE
from shared.ledger.ledger import Ledger
from shared.storage.reading import StorageReader

MINUTE = timedelta(minutes=1)
PERIODS = (("last hour", MINUTE, 60), ("last day", 15 * MINUTE, 96))
"""Name, length of a step, number of steps."""

REFRESH_SECONDS = 10
"""How often a browser refreshes the dashboard."""

NEARLY_FULL = 0.1
"""With less than this part of it free, the storage is shown as nearly full."""


class DashboardPages:
    """Shows the dashboard.

    Args:
        templates: renders the pages.
        ledger: counts objects.
        records: reads rates and reasons.
        files: the storage.
        health: asks the servers.
        clock: returns the time now, aware.
    """

    def __init__(
        self,
        *,
        templates: Templates,
        ledger: Ledger,
        records: Records,
        files: StorageReader,
        health: HealthChecks,
        clock: Callable[[], datetime],
    ) -> None:
        self._templates = templates
        self._ledger = ledger
        self._records = records
        self._files = files
        self._health = health
        self._clock = clock

    def show(self, context: RequestContext) -> Response:
        """Show the dashboard.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        return self._templates.render(
            "dashboard.html", context, refresh_seconds=REFRESH_SECONDS, **self._values()
        )

    def live(self, context: RequestContext) -> Response:
        """Show the part of the dashboard that refreshes itself.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        return self._templates.render("live.html", context, **self._values())

    def outage(self, context: RequestContext) -> Response:
        """Show what can be shown without the ledger."""
        return self._templates.render(
            "outage.html",
            context,
            HTTPStatus.SERVICE_UNAVAILABLE,
            health=self._health.run(),
            space=self._space(),
        )

    def _values(self) -> dict[str, Any]:
        now = self._clock()
        health = self._health.run()
        periods = []
        for name, length, steps in PERIODS:
            begins = begin(now, length, steps)
            found = period(name, self._records.rates(begins, length), begins, length, steps)
            periods.append((found, rate_plot(found), latency_plot(found)))
        reasons = self._records.failure_reasons()
        callbacks = self._ledger.callbacks.counts()
        return {
            "now": now,
            "counts": self._ledger.counts(),
            "problems": self._ledger.verifications.problems(),
            "oldest": self._ledger.oldest_queued_seconds(),
            "pauses": self._ledger.pauses.all(),
            "callbacks": callbacks,
            "receiver_pauses": self._ledger.pauses.of([PAUSE]) if callbacks.any else (),
            "periods": periods,
            "reasons": reasons,
            "explained": sum(reason.objects for reason in reasons),
            "space": self._space(),
            "health": health,
        }

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
