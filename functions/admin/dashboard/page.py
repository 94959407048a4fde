"""The dashboard: whether all is right, what the service did lately, and its servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from functions.admin.dashboard.chart import chart
from functions.admin.dashboard.concerns import Findings, concerns
from functions.admin.dashboard.health import HealthChecks
from functions.admin.dashboard.periods import SPANS, chosen
from functions.admin.dashboard.rates import begin, period
from functions.admin.failures.page import NEWEST
from functions.admin.objects.listing import Listing
from functions.admin.records import Records
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from shared.errors import FileUnreadable
from shared.http.event import Response
from shared.ledger.callbacks import PAUSE
from shared.ledger.ledger import Ledger
from shared.ledger.overview import Overview
from shared.ledger.rows import State
from shared.ledger.runs import Kind, Run
from shared.storage.reading import StorageReader

REFRESH_SECONDS = 5
"""How often a browser refreshes the dashboard."""

STALE_SECONDS = 9
"""A dashboard that was not refreshed for so long says so: within ten seconds, whatever happened."""

NEARLY_FULL = 0.1
"""With less than this part of it free, the storage is shown as nearly full."""


MOST_REASONS = 6
"""Reasons that fit beside the other cards; the page of failures has all of them."""


class DashboardPages:
    """Shows the dashboard.

    Args:
        templates: renders the pages.
        ledger: counts objects.
        records: reads rates.
        overview: groups failures by reason.
        files: the storage.
        health: asks the servers.
        first_request: returns the commands of the first request.
        clock: returns the time now, aware.
    """

    def __init__(
        self,
        *,
        templates: Templates,
        ledger: Ledger,
        records: Records,
        overview: Overview,
        files: StorageReader,
        health: HealthChecks,
        first_request: Callable[[RequestContext], Sequence[str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._templates = templates
        self._ledger = ledger
        self._records = records
        self._overview = overview
        self._files = files
        self._health = health
        self._first_request = first_request
        self._clock = clock

    def show(self, context: RequestContext) -> Response:
        """Show the dashboard.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        return self._templates.render(
            "dashboard.html",
            context,
            refresh_seconds=REFRESH_SECONDS,
            stale_seconds=STALE_SECONDS,
            **self._values(context),
        )

    def live(self, context: RequestContext) -> Response:
        """Show the part of the dashboard that refreshes itself.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        return self._templates.render("live.html", context, **self._values(context))

    def outage(self, context: RequestContext) -> Response:
        """Show what can be shown without the ledger."""
        return self._templates.render(
            "outage.html",
            context,
            HTTPStatus.SERVICE_UNAVAILABLE,
            health=self._health.run(),
            space=self._space(),
        )

    def _values(self, context: RequestContext) -> dict[str, Any]:
        now = self._clock()
        span = chosen(context.request.query.get("period", ""))
        begins = begin(now, span.length, span.steps)
        rates = self._records.rates(begins, span.length)
        drawn = period(span.words, rates, begins, span.length, span.steps)
        health = self._health.run()
        space = self._space()
        reasons = self._overview.failures(NEWEST)
        counts = self._ledger.counts()
        callbacks = self._ledger.callbacks.counts()
        beginnings = self._records.beginnings()
        oldest = self._ledger.oldest_queued_seconds()
        found = Findings(
            now=now,
            counts=counts,
            failed_since=beginnings.failed,
            problems=self._ledger.verifications.problems(),
            problems_since=beginnings.problems,
            oldest=oldest,
            beats=self._ledger.heartbeats.all(),
            pauses=self._ledger.pauses.all(),
            receiver_pauses=self._ledger.pauses.of([PAUSE]) if callbacks.any else (),
            callbacks=callbacks,
            undelivered_since=beginnings.undelivered,
            runs=self._runs(),
            servers=health,
            nearly_full=bool(space and space["nearly_full"]),
            readable=space is not None,
        )
        empty = not (counts.synced or counts.queued or counts.failed or counts.dismissed)
        return {
            "now": now,
            "counts": counts,
            "oldest": oldest,
            "callbacks": callbacks,
            "concerns": concerns(found),
            "spans": SPANS,
            "span": span,
            "total": drawn.total,
            "per_second": drawn.per_second,
            "chart": chart(drawn, span),
            "reasons": [
                (found, Listing(state=State.FAILED, reason=found.reason).url())
                for found in reasons[:MOST_REASONS]
            ],
            "more_reasons": max(0, len(reasons) - MOST_REASONS),
            "explained": sum(reason.objects for reason in reasons),
            "space": space,
            "health": health,
            "first_request": self._first_request(context) if empty else (),
        }

    def _runs(self) -> list[Run]:
        return [run for kind in Kind for run in self._ledger.runs.newest(1, kind)]

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
