"""The page of one object, and the actions of its form."""

from __future__ import annotations

from functions.admin.callbacks.actions import CallbackActions
from functions.admin.errors import FormInvalid, NotFound
from functions.admin.media.disposition import treatment
from functions.admin.media.thumbnails import is_own_preview
from functions.admin.objects.actions import ObjectActions, Report
from functions.admin.records import ObjectDetails, Records
from functions.admin.row_id import parse_row_id
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from shared.errors import FileUnreadable
from shared.http.event import Response
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.replays import Choice
from shared.queue.messages import SyncMessage
from shared.storage.reading import StorageReader

TEXT_BYTES = 16_384
"""Bytes of a text file that its page shows."""


class ObjectPages:
    """Shows an object, and performs the actions of its form.

    Args:
        templates: renders the pages.
        records: reads the ledger.
        ledger: reads callbacks.
        actions: performs the actions of the forms.
        callback_actions: sends callbacks again.
        files: the storage, for text previews.
        largest_response: bytes of one response of the media, None where they are not limited.

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
        files: StorageReader,
        largest_response: int | None,
    ) -> None:
        self._templates = templates
        self._records = records
        self._ledger = ledger
        self._actions = actions
        self._callback_actions = callback_actions
        self._files = files
        self._largest_response = largest_response

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
        newest = self._records.newest_file(details.file_name) if details.sha256 else None
        how = treatment(details.file_type)
        return self._templates.render(
            "object.html",
            context,
            object=details,
            attempts=self._records.attempts(details.id),
            callbacks=self._ledger.callbacks.of(details.id),
            replaced_by=newest.id if newest and newest.id != details.id else None,
            how=how,
            own_preview=is_own_preview(details.file_type, details.size_bytes or 0),
            text=self._text(details) if how.preview == "text" else None,
            text_bytes=TEXT_BYTES,
            largest_response=self._largest_response,
            place=self._files.path(details.file_path) if details.file_path else None,
            message=SyncMessage(details.id, details.request_id).body.decode(),
            report=report,
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

    def _text(self, details: ObjectDetails) -> str | None:
        if details.sha256 is None:
            return None
        try:
            with self._files.open(details.file_name) as file:
                return file.stream.read(TEXT_BYTES).decode(errors="replace")
        except (FileUnreadable, OSError):
            return None
