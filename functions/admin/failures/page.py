"""The page of failures: each reason with what it means, what to do, and all it takes to do it."""

from __future__ import annotations

from dataclasses import dataclass

from functions.admin.objects.listing import Listing
from functions.admin.web.context import RequestContext
from functions.admin.web.rendering import Templates
from shared.failure_help import Help, help_for
from shared.http.event import Response
from shared.ledger.ledger import Ledger
from shared.ledger.overview import FailureReason, Overview
from shared.ledger.rows import State
from shared.ledger.selection import PROBLEMS, Verification

NEWEST = 10_000
"""Failures that are grouped, so that the page comes at once."""

DAMAGE = {
    Verification.DAMAGED: Help(
        "The bytes or the size differ from what was recorded when the file was copied.",
        "Fetch them again, and look for what wrote to the storage.",
    ),
    Verification.MISSING: Help(
        "The file is no longer in its place.",
        "Fetch them again, and look for what removed or moved them.",
    ),
    Verification.UNREADABLE: Help(
        "The file cannot be read, or is no plain file.",
        "Check the disk and the permissions, then verify again or fetch again.",
    ),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Failures for one reason.

    Attributes:
        found: their reason, number, times and example.
        help: what it means and what to do.
        listing: the list of them.
    """

    found: FailureReason
    help: Help
    listing: Listing


@dataclass(frozen=True, slots=True)
class Damage:
    """Stored files with one result of their last verification.

    Attributes:
        result: the result.
        objects: how many.
        help: what it means and what to do.
        listing: the list of them.
    """

    result: Verification
    objects: int
    help: Help
    listing: Listing


class FailurePages:
    """Shows why objects failed, and which stored files have problems.

    Args:
        templates: renders the page.
        ledger: counts.
        overview: groups failures by reason.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, *, templates: Templates, ledger: Ledger, overview: Overview) -> None:
        self._templates = templates
        self._ledger = ledger
        self._overview = overview

    def show(self, context: RequestContext) -> Response:
        """Show the reasons, the most frequent first."""
        verified = self._ledger.verifications.counts()
        groups = [
            Group(
                found,
                help_for(found.example_error),
                Listing(state=State.FAILED, reason=found.reason),
            )
            for found in self._overview.failures(NEWEST)
        ]
        return self._templates.render(
            "failures.html",
            context,
            failed=self._ledger.counts().failed,
            grouped=sum(group.found.objects for group in groups),
            groups=groups,
            everything=Listing(state=State.FAILED),
            damage=[
                Damage(result, verified[result], DAMAGE[result], Listing(verified=(result,)))
                for result in PROBLEMS
                if verified.get(result)
            ],
        )
