"""The page of callbacks that are not delivered, and the actions of its form."""

from __future__ import annotations

from collections.abc import Sequence

from functions.admin.callbacks.actions import CallbackActions
from functions.admin.errors import FormInvalid
from functions.admin.objects.actions import Report
from functions.admin.row_id import parse_row_id
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from shared.http.event import Response
from shared.ledger.callbacks import PAUSE, CallbackState
from shared.ledger.ledger import Ledger
from shared.ledger.replays import Choice

PAGE = 50
"""Callbacks on one page."""

MOST_SELECTED = 500
"""Callbacks that one form may name: a page has 50."""

STATES = (CallbackState.UNDELIVERED, CallbackState.PENDING)
"""The lists of the page, the default first."""


class CallbackPages:
    """Shows what the client could not be told, and sends it again.

    Args:
        templates: renders the page.
        ledger: reads callbacks and pauses.
        actions: sends callbacks again.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, *, templates: Templates, ledger: Ledger, actions: CallbackActions) -> None:
        self._templates = templates
        self._ledger = ledger
        self._actions = actions

    def list(self, context: RequestContext, report: Report | None = None) -> Response:
        """Show a page of one of the lists, newest first.

        Args:
            context: who asks.
            report: what the page's form has done.
        """
        query = context.request.query
        state = next((s for s in STATES if s.value == query.get("state")), STATES[0])
        before_id = parse_row_id(query.get("before", ""))
        callbacks = self._ledger.callbacks
        rows = callbacks.list(state, PAGE + 1, before_id)
        return self._templates.render(
            "callbacks.html",
            context,
            state=state,
            states=STATES,
            before_id=before_id,
            rows=rows[:PAGE],
            older_than=rows[PAGE - 1].id if len(rows) > PAGE else None,
            counts=callbacks.counts(),
            reasons=callbacks.reasons() if state is CallbackState.UNDELIVERED else (),
            pauses=self._ledger.pauses.of([PAUSE]),
            report=report,
        )

    def act(self, context: RequestContext) -> Response:
        """Perform the action of the page's form and show the page with its report.

        Raises:
            FormInvalid: the form is none of ours.
        """
        match context.form.get("action"):
            case ["replay"]:
                choice = Choice(ids=chosen(context.form.get("id", ())))
            case ["replay_all"]:
                choice = Choice()
            case _:
                raise FormInvalid("no such action")
        return self.list(context, self._actions.replay(choice, context.session.user))


def chosen(texts: Sequence[str]) -> Sequence[int]:
    """Return the ids that a form names.

    Raises:
        FormInvalid: one is none, or they are more than a page has.
    """
    ids = {parse_row_id(text) for text in texts}
    if len(texts) > MOST_SELECTED or None in ids:
        raise FormInvalid("no such callbacks")
    return sorted(number for number in ids if number is not None)
