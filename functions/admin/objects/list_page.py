"""The list of objects, and what its form does with those that are selected."""

from __future__ import annotations

from http import HTTPStatus

from functions.admin import addresses
from functions.admin.bulk.performing import BulkActions
from functions.admin.errors import FormInvalid
from functions.admin.media.thumbnails import has_thumbnail
from functions.admin.objects.listing import NEVER, VERIFIED, Listing
from functions.admin.objects.paging import CANDIDATES, Paging
from functions.admin.objects.totals import total
from functions.admin.records import Records
from functions.admin.row_id import parse_row_id
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from functions.admin.web.responses import redirect
from shared.http.event import Response
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.overview import Overview
from shared.ledger.rows import State
from shared.ledger.scanning import Scanning
from shared.ledger.selection import Selection

MOST_SELECTED = 500
"""Objects that one form may name: a page has 50."""

NEWEST_FAILURES = 5_000
"""Failures that are grouped by reason above the list."""

MOST_REASONS = 6
"""Reasons that are shown above the list; the page of failures has all."""


class ListPage:
    """Shows the list, and begins the actions of its form.

    Args:
        templates: renders the page.
        paging: reads pages of the list.
        records: lists the types in use.
        ledger: counts objects.
        scanning: counts those of a filter.
        overview: groups failures by reason.
        actions: performs actions.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(
        self,
        *,
        templates: Templates,
        paging: Paging,
        records: Records,
        ledger: Ledger,
        scanning: Scanning,
        overview: Overview,
        actions: BulkActions,
    ) -> None:
        self._templates = templates
        self._paging = paging
        self._records = records
        self._ledger = ledger
        self._scanning = scanning
        self._overview = overview
        self._actions = actions

    def show(self, context: RequestContext, problem: str = "") -> Response:
        """Show a page of the list.

        Args:
            context: who asks.
            problem: why the form did nothing.
        """
        listing = Listing.from_query(context.request.query)
        page = self._paging.page(listing)
        reasons = []
        if listing.state is State.FAILED and not listing.text:
            reasons = self._overview.failures(NEWEST_FAILURES)[:MOST_REASONS]
        return self._templates.render(
            "list.html",
            context,
            HTTPStatus.OK,
            listing=listing,
            page=page,
            total=total(self._ledger, self._scanning, listing, page),
            counts=self._ledger.counts(),
            problems=self._ledger.verifications.problems(),
            reasons=reasons,
            file_types=self._records.file_types(),
            states=list(State),
            results=[*VERIFIED, NEVER],
            candidates=CANDIDATES,
            has_thumbnail=has_thumbnail,
            problem=problem,
        )

    def act(self, context: RequestContext) -> Response:
        """Begin the action of the form: at once for selected objects, after a question for all.

        Raises:
            FormInvalid: the form is none of ours.
        """
        match context.form.get("action"):
            case [name] if name in set(Action):
                action = Action(name)
            case _:
                raise FormInvalid("no such action")
        if context.value("all"):
            listing = Listing.from_query(context.request.query)
            return redirect(listing.with_filter(addresses.NEW_ACTION.url(), do=action.value))
        texts = context.form.get("id", ())
        row_ids = {parse_row_id(text) for text in texts}
        if len(texts) > MOST_SELECTED or None in row_ids:
            raise FormInvalid("no such objects")
        if not row_ids:
            return self.show(context, "Nothing selected")
        selection = Selection(ids=tuple(sorted(row_id for row_id in row_ids if row_id is not None)))
        action_id = self._actions.begin(action, selection, context.session.user)
        return redirect(addresses.ACTION.url(action_id=action_id))
