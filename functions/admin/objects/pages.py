"""The page of one object, and the actions of its form."""

from __future__ import annotations

from functions.admin.callbacks.actions import CallbackActions
from functions.admin.errors import FormInvalid, NotFound
from functions.admin.objects.actions import ObjectActions, Report
from functions.admin.objects.view import ObjectView
from functions.admin.records import Records
from functions.admin.row_id import parse_row_id
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from shared.http.event import Response
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.replays import Choice


class ObjectPages:
    """Shows an object, and performs the actions of its form.

    Args:
        templates: renders the pages.
        records: reads the ledger.
        ledger: reads callbacks.
        actions: performs the actions of the forms.
        callback_actions: sends callbacks again.
        view: what the page of one object shows.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(
        self,
        *,
        templates: Templates,
        records: Records,
        ledger: Ledger,
        actions: ObjectActions,
        callback_actions: CallbackActions,
        view: ObjectView,
    ) -> None:
        self._templates = templates
        self._records = records
        self._ledger = ledger
        self._actions = actions
        self._callback_actions = callback_actions
        self._view = view

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
        return self.object(context, row_id, self._act(context, number))

    def _act(self, context: RequestContext, row_id: int) -> Report:
        user = context.session.user
        match context.form.get("action"):
            case ["verify"]:
                return self._actions.verify([row_id], user)
            case [name] if name in set(Action):
                return self._actions.perform(Action(name), [row_id], user)
        raise FormInvalid("no such action")
