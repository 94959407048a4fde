"""What actions and filters are called, and what an action will do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.ledger.actions import Action
from shared.ledger.selection import PROBLEMS, Selection


@dataclass(frozen=True, slots=True)
class Wording:
    """How an action is presented.

    Attributes:
        name: of its button.
        applies_to: the objects that it can change.
        effect: what happens to them.
    """

    name: str
    applies_to: str
    effect: str


WORDING = {
    Action.RETRY: Wording(
        "Retry",
        "failed",
        "They are queued again, and their attempts are counted from zero.",
    ),
    Action.RETRY_NOW: Wording(
        "Retry now",
        "failed or waiting for a retry",
        "They are attempted at once, and their attempts are counted from zero.",
    ),
    Action.VERIFY: Wording(
        "Verify",
        "synced",
        "Each file is read again and compared with the recorded SHA-256. No file is changed.",
    ),
    Action.FETCH_AGAIN: Wording(
        "Fetch again",
        "synced",
        "They are copied from S3 again. Each file stays until the new one replaces it.",
    ),
    Action.DISMISS: Wording(
        "Dismiss",
        "failed",
        "They no longer count as failed, and are not retried. Restore undoes it.",
    ),
    Action.RESTORE: Wording(
        "Restore",
        "dismissed",
        "They count as failed again, and can be retried.",
    ),
}
"""In the order of the buttons."""


def criteria(selection: Selection) -> Sequence[str]:
    """Return the criteria of a filter in words, none if it selects every object."""
    chosen = selection.document()
    return [words(chosen[name]) for name, words in _CRITERIA.items() if name in chosen]


def _verified(results: Sequence[str]) -> str:
    return "verified as " + (
        "damaged, missing or unreadable" if set(results) == set(PROBLEMS) else ", ".join(results)
    )


def _ids(ids: Sequence[int]) -> str:
    return "1 selected object" if len(ids) == 1 else f"{len(ids)} selected objects"


def _moment(words: str) -> Callable[[str], str]:
    return lambda text: f"{words} {datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"


_CRITERIA: dict[str, Callable[[Any], str]] = {
    "ids": _ids,
    "states": " or ".join,
    "exact_reason": "reason “{}”".format,
    "reason": "error contains “{}”".format,
    "text": "search “{}”".format,
    "name": "name {}".format,
    "file_type": "type {}".format,
    "origin": "origin {}".format,
    "verified": _verified,
    "unverified": lambda _: "never verified",
    "changed_by": "changed by action {}".format,
    "received_from": _moment("created since"),
    "received_before": _moment("created before"),
    "failed_from": _moment("failed since"),
    "failed_before": _moment("failed before"),
    "synced_from": _moment("synced since"),
    "synced_before": _moment("synced before"),
}
"""In words, the criteria of a `Selection` as its document has them."""
