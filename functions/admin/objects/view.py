"""What the page of one object shows: its timeline, its preview, its neighbours in the list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from functions.admin.media.disposition import Treatment, treatment
from functions.admin.media.text_preview import JSON_BYTES, TEXT_BYTES, TextPreview, preview
from functions.admin.media.thumbnails import is_own_preview
from functions.admin.objects.listing import Listing
from functions.admin.objects.neighbours import neighbours
from functions.admin.objects.paging import Paging
from functions.admin.objects.timeline import folded, timeline
from functions.admin.records import ObjectDetails, Records
from shared.errors import FileUnreadable
from shared.failure_help import help_for, reason_of
from shared.ledger.ledger import Ledger
from shared.queue.messages import SyncMessage
from shared.storage.reading import StorageReader

HISTORY = 100
"""Entries of the history that `Records.attempts` reads at most."""


class ObjectView:
    """Collects what the page of one object shows.

    Args:
        paging: reads pages of the list.
        records: reads the ledger.
        ledger: reads callbacks.
        files: the storage, for text previews.
        largest_response: bytes of one response of the media, None where they are not limited.
        clock: returns the time now, aware.
    """

    def __init__(
        self,
        *,
        paging: Paging,
        records: Records,
        ledger: Ledger,
        files: StorageReader,
        largest_response: int | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._paging = paging
        self._records = records
        self._ledger = ledger
        self._files = files
        self._largest_response = largest_response
        self._clock = clock

    def values(self, details: ObjectDetails, query: Mapping[str, str]) -> dict[str, Any]:
        """Return what the template shows of an object.

        Args:
            details: the object.
            query: of its address: the filters of the list that it was opened from.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        listing = Listing.from_query(query)
        newest = self._records.newest_file(details.file_name) if details.sha256 else None
        how = treatment(details.file_type)
        attempts = self._records.attempts(details.id)
        callbacks = self._ledger.callbacks.of(details.id)
        entries = timeline(details, attempts, callbacks, self._clock())
        error = details.last_error
        return {
            "object": details,
            "listing": listing,
            "beside": neighbours(self._paging, listing, details),
            "entries": folded(entries),
            "history_cut": len(attempts) == HISTORY,
            "callbacks": callbacks,
            "help": help_for(reason_of(error)) if error else None,
            "replaced_by": newest.id if newest and newest.id != details.id else None,
            "how": how,
            "own_preview": is_own_preview(details.file_type, details.size_bytes or 0),
            "text": self._text(details, how),
            "largest_response": self._largest_response,
            "place": self._files.path(details.file_path) if details.file_path else None,
            "message": SyncMessage(details.id, details.request_id).body.decode(),
        }

    def _text(self, details: ObjectDetails, how: Treatment) -> TextPreview | None:
        if details.sha256 is None or how.preview not in {"text", "json"}:
            return None
        most = JSON_BYTES if how.preview == "json" else TEXT_BYTES
        try:
            with self._files.open(details.file_name) as file:
                data, size = file.stream.read(most), file.size
        except (FileUnreadable, OSError):
            return None
        return preview(data, size, how.charset, is_json=how.preview == "json")
