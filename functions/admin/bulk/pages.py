"""The pages of actions on many objects: the question before one, its result, the list of all."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from functions.admin import addresses
from functions.admin.bulk.performing import BulkActions
from functions.admin.bulk.results import MOST_LINES, MOST_OBJECTS, Fate, Results
from functions.admin.bulk.wording import WORDING, criteria
from functions.admin.errors import FormInvalid, NotFound
from functions.admin.objects.listing import Listing
from functions.admin.objects.paging import Paging
from functions.admin.objects.totals import MOST_COUNTED
from functions.admin.row_id import parse_row_id
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from functions.admin.web.responses import redirect
from shared.http.event import Response
from shared.ledger.actions import POSSIBLE, Action
from shared.ledger.ledger import Ledger
from shared.ledger.rows import State
from shared.ledger.scanning import Scanning
from shared.ledger.selection import Selection

PAGE = 50
"""Actions on one page."""

EXAMPLES = 5
"""Objects that the question names."""

COUNT_SECONDS = 0.15
REFRESH_SECONDS = 2


class BulkPages:
    """Asks before an action on all objects of a filter, and shows what became of actions.

    Args:
        templates: renders the pages.
        paging: reads examples.
        scanning: counts the objects of a filter.
        ledger: reads actions.
        results: reads what became of their objects.
        actions: performs them.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(
        self,
        *,
        templates: Templates,
        paging: Paging,
        scanning: Scanning,
        ledger: Ledger,
        results: Results,
        actions: BulkActions,
    ) -> None:
        self._templates = templates
        self._paging = paging
        self._scanning = scanning
        self._ledger = ledger
        self._results = results
        self._actions = actions

    def log(self, context: RequestContext) -> Response:
        """Show a page of the actions so far, newest first."""
        before_id = parse_row_id(context.request.query.get("before", ""))
        actions = self._ledger.actions.newest(PAGE + 1, before_id)
        return self._templates.render(
            "actions.html",
            context,
            actions=actions[:PAGE],
            before_id=before_id,
            older_than=actions[PAGE - 1].id if len(actions) > PAGE else None,
            wording=WORDING,
            criteria=criteria,
        )

    def ask(self, context: RequestContext) -> Response:
        """Ask whether an action on all objects of a filter is meant; nothing is changed.

        Raises:
            NotFound: there is no such action.
        """
        query = context.request.query
        if query.get("do") not in set(Action):
            raise NotFound
        action, listing = Action(query["do"]), Listing.from_query(query)
        selection = listing.selection
        number = self._scanning.count(selection, MOST_COUNTED, COUNT_SECONDS, action)
        return self._templates.render(
            "ask.html",
            context,
            action=action,
            wording=WORDING[action],
            listing=listing,
            criteria=criteria(selection),
            number=number,
            examples=self._examples(action, listing) if number.objects else (),
            filter=urlencode(listing.query),
        )

    def begin(self, context: RequestContext) -> Response:
        """Begin an action on all objects of a filter, and lead to its page.

        Raises:
            FormInvalid: the form is none of ours.
        """
        name = context.value("action")
        if name not in set(Action):
            raise FormInvalid("no such action")
        listing = Listing.from_query(dict(parse_qsl(context.value("filter"))))
        action_id = self._actions.begin(Action(name), listing.selection, context.session.user)
        return redirect(addresses.ACTION.url(action_id=action_id))

    def show(self, context: RequestContext, action_id: str) -> Response:
        """Show what became of an action.

        Raises:
            NotFound: there is no action with this id.
        """
        return self._show(context, action_id, "action.html")

    def live(self, context: RequestContext, action_id: str) -> Response:
        """Show the part of an action's page that changes.

        Raises:
            NotFound: there is no action with this id.
        """
        return self._show(context, action_id, "action_live.html")

    def act(self, context: RequestContext, action_id: str) -> Response:
        """Perform more of an action, or undo it, and lead to its page.

        Raises:
            FormInvalid: the form is none of ours.
            NotFound: there is no action with this id.
        """
        number = _number(action_id)
        try:
            performed = self._ledger.actions.get(number)
            match context.value("action"):
                case "go_on":
                    self._actions.go_on(number)
                case "undo" if performed.action in UNDONE_BY:
                    undo = UNDONE_BY[performed.action]
                    changed = Selection(states=POSSIBLE[undo], changed_by=number)
                    number = self._actions.begin(undo, changed, context.session.user)
                case _:
                    raise FormInvalid("no such action")
        except LookupError as error:
            raise NotFound from error
        return redirect(addresses.ACTION.url(action_id=number))

    def _show(self, context: RequestContext, action_id: str, template: str) -> Response:
        try:
            result = self._results.of(_number(action_id))
        except LookupError as error:
            raise NotFound from error
        action = result.performed.action
        return self._templates.render(
            template,
            context,
            result=result,
            fates=Fate,
            wording=WORDING[action],
            criteria=criteria(result.performed.selection),
            undo=UNDONE_BY.get(action),
            most_objects=MOST_OBJECTS,
            most_lines=MOST_LINES,
            refresh_seconds=REFRESH_SECONDS,
            own=Listing(changed_by=result.performed.id),
        )

    def _examples(self, action: Action, listing: Listing) -> list[str]:
        # Only of a state that the action can change; a failed one is retried sooner than a queued.
        state: State = listing.state or POSSIBLE[action][0]
        rows = self._paging.page(replace(listing, state=state, cursor=None)).rows
        return [row.file_name for row in rows[:EXAMPLES]]


UNDONE_BY = {Action.DISMISS: Action.RESTORE, Action.RESTORE: Action.DISMISS}
"""Actions that another one undoes."""


def _number(action_id: str) -> int:
    number = parse_row_id(action_id)
    if number is None:
        raise NotFound
    return number
