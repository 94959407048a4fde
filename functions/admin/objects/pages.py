"""The pages of objects: the list and one object, and what a person does there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from functions.admin.errors import FormRefused, NotFound
from functions.admin.media.disposition import treatment
from functions.admin.media.thumbnails import shown, shown_as_it_is
from functions.admin.objects.actions import Actions, Report
from functions.admin.objects.listing import PATH, Listing
from functions.admin.objects.paging import Paging
from functions.admin.objects.search import CANDIDATES, LARGEST_ID
from functions.admin.records import Detail, Objects
from functions.admin.web.context import Visit
from functions.admin.web.rendering import Pages
from shared.errors import FileUnreadable
from shared.http.event import Response
from shared.ledger.ledger import Ledger
from shared.ledger.rows import State
from shared.queue.messages import SyncMessage
from shared.storage.reading import StoredFiles

TEXT_BYTES = 16_384
"""Bytes of a text file that its page shows."""

MOST_SELECTED = 500
"""A page has 50 rows; nobody selects more by its form."""


class FilePages:
    """Shows objects and does what their forms ask for.

    Args:
        pages: renders.
        paging: pages of the list.
        objects: what is recorded.
        ledger: counts.
        actions: retry and verify.
        files: the storage, for text previews.
        piece: bytes of one answer of `/media/`, None where they are not limited.
    """

    def __init__(  # collaborators
        self,
        *,
        pages: Pages,
        paging: Paging,
        objects: Objects,
        ledger: Ledger,
        actions: Actions,
        files: StoredFiles,
        piece: int | None,
    ) -> None:
        self._pages = pages
        self._paging = paging
        self._objects = objects
        self._ledger = ledger
        self._actions = actions
        self._files = files
        self._piece = piece

    def list(self, visit: Visit, report: Report | None = None) -> Response:
        """Shows a page of the list."""
        listing = Listing.from_query(visit.request.query)
        return self._pages.render(
            "list.html",
            visit,
            listing=listing,
            page=self._paging.page(listing),
            counts=self._ledger.counts(),
            file_types=self._objects.file_types(),
            states=list(State),
            cut_at=CANDIDATES,
            shown=shown,
            report=report,
        )

    def act(self, visit: Visit, form: Mapping[str, Sequence[str]]) -> Response:
        """Does what the list's form asks for and shows the list with what came of it.

        Raises:
            FormRefused: the form is not one of ours.
        """
        return self.list(visit, self._act(visit, form, form.get("id", ())))

    def object(self, visit: Visit, row_id: int, report: Report | None = None) -> Response:
        """Shows one object.

        Raises:
            NotFound: there is none with this id.
        """
        detail = self._objects.object(row_id)
        if detail is None:
            raise NotFound
        newest = self._objects.newest_file(detail.file_name) if detail.sha256 else None
        how = treatment(detail.file_type)
        return self._pages.render(
            "object.html",
            visit,
            object=detail,
            attempts=self._objects.attempts(row_id),
            replaced_by=newest.id if newest and newest.id != row_id else None,
            how=how,
            itself=shown_as_it_is(detail.file_type, detail.size_bytes or 0),
            text=self._text(detail) if how.preview == "text" else None,
            text_bytes=TEXT_BYTES,
            piece=self._piece,
            place=self._files.path(detail.file_path) if detail.file_path else None,
            message=SyncMessage(row_id, detail.request_id).body.decode(),
            report=report,
        )

    def act_on_object(
        self, visit: Visit, row_id: int, form: Mapping[str, Sequence[str]]
    ) -> Response:
        """Does what an object's form asks for and shows the object with what came of it.

        Raises:
            FormRefused: the form is not one of ours.
            NotFound: there is no object with this id.
        """
        return self.object(visit, row_id, self._act(visit, form, [str(row_id)]))

    def _act(
        self, visit: Visit, form: Mapping[str, Sequence[str]], chosen: Sequence[str]
    ) -> Report | None:
        if len(chosen) > MOST_SELECTED or not all(_is_id(text) for text in chosen):
            raise FormRefused("it names no objects")
        row_ids = sorted({int(text) for text in chosen})
        user = visit.session.user
        match form.get("action"):
            case ["retry"]:
                return self._actions.retry(row_ids, user)
            case ["verify"]:
                return self._actions.verify(row_ids, user)
        raise FormRefused("it asks for nothing that there is")

    def _text(self, detail: Detail) -> str | None:
        if detail.sha256 is None:
            return None
        try:
            with self._files.open(detail.file_name) as file:
                return file.stream.read(TEXT_BYTES).decode(errors="replace")
        except (FileUnreadable, OSError):
            return None


def _is_id(text: str) -> bool:
    return (
        text.isascii()
        and text.isdecimal()
        and len(text) <= len(str(LARGEST_ID))
        and (int(text) <= LARGEST_ID)
    )


def row_id_of(path: str) -> int:
    """Gives the id in the path of an object's page, `…/filesync/<id>/change/`.

    Raises:
        NotFound: it is the path of none.
    """
    head, _, tail = path.removeprefix(PATH).partition("/")
    if tail not in {"change/", "change"} or not _is_id(head):
        raise NotFound
    return int(head)
