"""The objects before and after one in the list that it was opened from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from functions.admin.objects.listing import Listing
from functions.admin.objects.paging import Paging, cursor_at
from functions.admin.objects.sorting import Part
from functions.admin.records import ObjectDetails


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Ids of the objects beside one, None where the list ends or no longer has the object."""

    before: int | None = None
    after: int | None = None


def neighbours(paging: Paging, listing: Listing, details: ObjectDetails) -> Neighbours:
    """Return the objects beside one in a list.

    Args:
        paging: reads pages of the list.
        listing: its filters and its sort order; where its page begins does not count.
        details: the object, which may have left the list since.

    Raises:
        LedgerUnavailable: PostgreSQL is unreachable.
    """
    place = next((n for n, part in enumerate(listing.parts) if _holds(part, details)), None)
    if place is None:
        return Neighbours()
    cursor = cursor_at(listing, place, details)
    after = paging.page(replace(listing, cursor=cursor, backward=False)).rows
    before = paging.page(replace(listing, cursor=cursor, backward=True)).rows
    return Neighbours(before[-1].id if before else None, after[0].id if after else None)


def _holds(part: Part, details: ObjectDetails) -> bool:
    return (
        part.state in {None, details.state}
        and (part.least is None or details.attempts >= part.least)
        and (part.most is None or details.attempts <= part.most)
    )
