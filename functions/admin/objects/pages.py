"""The pages of objects: the list and one object, and the actions of their forms."""

from __future__ import annotations

from collections.abc import Sequence

from functions.admin.callbacks.actions import CallbackActions
from functions.admin.errors import FormInvalid, NotFound
from functions.admin.media.thumbnails import has_thumbnail
from functions.admin.objects.actions import ObjectActions, Report
from functions.admin.objects.listing import Listing
from functions.admin.objects.paging import Paging
from functions.admin.objects.search import CANDIDATES
from functions.admin.objects.view import ObjectView
from functions.admin.records import Records
from functions.admin.row_id import parse_row_id
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from shared.http.event import Response
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.replays import Choice
from shared.ledger.rows import State

MOST_SELECTED = 500
"""Objects that one form may name: a page has 50."""


class ObjectPages:
    """Shows objects, and performs the actions of their forms.

    Args:
        templates: renders the pages.
        paging: reads pages of the list.
        records: reads the ledger.
        ledger: counts objects.
        actions: performs the actions of the forms.
        callback_actions: sends callbacks again.
        view: what the page of one object shows.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(
        self,
        *,
        templates: Templates,
        paging: Paging,
        records: Records,
        ledger: Ledger,
        actions: ObjectActions,
        callback_actions: CallbackActions,
        view: ObjectView,
    ) -> None:
        self._templates = templates
        self._paging = paging
        self._records = records
        self._ledger = ledger
        self._actions = actions
        self._callback_actions = callback_actions
        self._view = view

    def list(self, context: RequestContext, report: Report | None = None) -> Response:
        """Show a page of the list.

        Args:
            context: who asks.
            report: what the list's form has done.
        """
        listing = Listing.from_query(context.request.query)
        return self._templates.render(
            "list.html",
            context,
            listing=listing,
            page=self._paging.page(listing),
            counts=self._ledger.counts(),
            problems=self._ledger.verifications.problems(),
            file_types=self._records.file_types(),
            states=list(State),
            candidates=CANDIDATES,
            has_thumbnail=has_thumbnail,
            report=report,
        )

    def act_on_list(self, context: RequestContext) -> Response:
        """Perform the action of the list's form and show the list with its report.

        Raises:
            FormInvalid: the form is none of ours.
        """
        return self.list(context, self._act(context, context.form.get("id", ())))

    def object(
        self, context: RequestContext, row_id: str, report: Report | None = None
    ) -> Response:
        """Show one object.

        Args:
            context: who asks.
            row_id: as it appears in the address.
            report: what the object's form has done.

        Raises:
            NotFound: there is no object with this id.
        """
        number = parse_row_id(row_id)
        details = None if number is None else self._records.object(number)
        if details is None:
            raise NotFound
        return self._templates.render(
            "object.html",
            context,
            report=report,
            **self._view.values(details, context.request.query),
        )

    def act_on_object(self, context: RequestContext, row_id: str) -> Response:
        """Perform the action of an object's form and show the object with its report.

        Raises:
            FormInvalid: the form is none of ours.
            NotFound: there is no object with this id.
        """
        number = parse_row_id(row_id)
        if number is None:
            raise NotFound
        if "callback" in context.form:
            callback_id = parse_row_id(context.value("callback"))
            choice = Choice([callback_id or 0], [number], undelivered=False)
            report = self._callback_actions.replay(choice, context.session.user)
            return self.object(context, row_id, report)
        return self.object(context, row_id, self._act(context, [row_id]))

    def _act(self, context: RequestContext, selected: Sequence[str]) -> Report:
        row_ids = {parse_row_id(text) for text in selected}
        numbers = sorted(row_id for row_id in row_ids if row_id is not None)
        if len(selected) > MOST_SELECTED or None in row_ids:
            raise FormInvalid("no such objects")
        user = context.session.user
        match context.form.get("action"):
            case ["verify"]:
                return self._actions.verify(numbers, user)
            case [name] if name in set(Action):
                return self._actions.perform(Action(name), numbers, user)
        raise FormInvalid("no such action")
