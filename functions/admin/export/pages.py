"""The export of a filter's objects, in parts that fit into one response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from functions.admin import addresses
from functions.admin.bulk.wording import criteria
from functions.admin.errors import NotFound
from functions.admin.export.documents import as_csv, as_json
from functions.admin.objects.listing import Listing
from functions.admin.objects.totals import COUNT_SECONDS, MOST_COUNTED
from functions.admin.row_id import parse_row_id
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from functions.admin.web.responses import SAFE_HEADERS
from shared.http.event import Response
from shared.ledger.objects import PAGE, Objects
from shared.ledger.scanning import Scanning
from shared.ledger.selection import Selection

PART_ON_LAMBDA = 1_000
"""Objects of one part: at 5 kB each, the most that names and errors amount to, 5 of the 6 MB that a
response of Lambda may have."""

PART = 10_000
"""Objects of one part elsewhere."""

PARTS = 20
"""Parts that the page links to at once."""

FIND_SECONDS = 20.0
"""Seconds for finding the objects of a part; the function itself has 29 s (template.yaml)."""

PAGE_SECONDS = 0.1
"""Seconds for finding where the parts begin."""

TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@dataclass(frozen=True, slots=True)
class Part:
    """One download.

    Attributes:
        number: from 1.
        objects: how many it has at most.
        before_id: only ids below this one, None for the first part.
    """

    number: int
    objects: int
    before_id: int | None


class ExportPages:
    """Exports the objects that a filter selects, newest first.

    Args:
        templates: renders the page.
        scanning: finds the objects.
        objects: reads them.
        part: objects of one part.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(
        self, *, templates: Templates, scanning: Scanning, objects: Objects, part: int
    ) -> None:
        self._templates = templates
        self._scanning = scanning
        self._objects = objects
        self._part = part

    def show(self, context: RequestContext) -> Response:
        """Show the parts of an export."""
        query = context.request.query
        listing = Listing.from_query(query)
        before_id = parse_row_id(query.get("before", ""))
        found = self._scanning.find(listing.selection, self._part * PARTS, PAGE_SECONDS, before_id)
        parts = [
            Part(
                start // self._part + 1,
                min(self._part, len(found.ids) - start),
                found.ids[start - 1] if start else before_id,
            )
            for start in range(0, len(found.ids), self._part)
        ]
        return self._templates.render(
            "export.html",
            context,
            listing=listing,
            criteria=criteria(listing.selection),
            total=self._scanning.count(listing.selection, MOST_COUNTED, COUNT_SECONDS),
            parts=parts,
            more=found.before_id,
            formats=tuple(TYPES),
        )

    def file(self, context: RequestContext, kind: str) -> Response:
        """Return one part; its `Link` header, and `next` in JSON, lead to the next one.

        Raises:
            NotFound: there is no such format.
        """
        if kind not in TYPES:
            raise NotFound
        query = context.request.query
        listing = Listing.from_query(query)
        before_id = parse_row_id(query.get("before", ""))
        found = self._scanning.find(listing.selection, self._part, FIND_SECONDS, before_id)
        following = None
        if found.before_id is not None:
            path = addresses.EXPORT_FILE.url(kind=kind)
            following = listing.with_filter(path, before=found.before_id)
        objects = list(self._read(found.ids))
        if kind == "csv":
            body = as_csv(objects, header=before_id is None)
        else:
            body = as_json(objects, following)
        return Response(
            HTTPStatus.OK,
            body,
            {
                **SAFE_HEADERS,
                "content-type": TYPES[kind],
                "content-disposition": f'attachment; filename="{_name(before_id, kind)}"',
                "cache-control": "no-store",
                **({"link": f'<{following}>; rel="next"'} if following else {}),
            },
        )

    def _read(self, ids: Sequence[int]) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for start in range(0, len(ids), PAGE):  # each statement names the ids that it reads
            chosen = Selection(ids=tuple(ids[start : start + PAGE]))
            found += self._objects.selected(chosen, PAGE)
        return found


def _name(before_id: int | None, kind: str) -> str:
    return f"objects{f'-before-{before_id}' if before_id else ''}.{kind}"
