"""How many objects a filter selects, within the time of a page."""

from __future__ import annotations

from functions.admin.objects.listing import Listing
from functions.admin.objects.paging import MATCHES, Page
from shared.ledger.ledger import Ledger
from shared.ledger.rows import State
from shared.ledger.scanning import Counted, Scanning

MOST_COUNTED = 10_000
"""Where counting stops: nobody reads the number beyond it, and it may be far."""

COUNT_SECONDS = 0.06
"""Seconds for counting what no counter keeps."""


def total(ledger: Ledger, scanning: Scanning, listing: Listing, page: Page) -> Counted:
    """Return how many objects a listing selects.

    Args:
        ledger: has the exact numbers of what it counts.
        scanning: counts the rest.
        listing: the filter.
        page: a page of it, which may show all.

    Raises:
        LedgerUnavailable: PostgreSQL is unreachable.
    """
    if page.before is None and page.after is None and _whole(page) and listing.older is None:
        return Counted(len(page.rows), complete=True)
    search = page.search
    if search and search.before_id and len(search.ids) < MATCHES:
        return Counted(len(search.ids), complete=False)  # counting would get no further
    given = {name for name, value in listing.filters().items() if value}
    if given <= {"state"}:
        counts = ledger.counts()
        each = {
            State.QUEUED: counts.queued,
            State.SYNCED: counts.synced,
            State.FAILED: counts.failed,
            State.DISMISSED: counts.dismissed,
        }
        number = each[listing.state] if listing.state else sum(each.values())
        return Counted(number, complete=True)
    if given == {"verified"}:
        verified = ledger.verifications.counts()
        number = sum(verified.get(result, 0) for result in listing.verified)
        return Counted(number, complete=True)
    return scanning.count(listing.selection, MOST_COUNTED, COUNT_SECONDS)


def _whole(page: Page) -> bool:
    return not page.cut and (page.search is None or page.search.before_id is None)
