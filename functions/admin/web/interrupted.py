"""Interrupted actions: forms that were sent after their session had ended. Pure.

What such a form asked for is kept over the login and then shown, to be confirmed with a token of
the new session. It is never done by itself: between the two, another person may have logged in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from functions.admin import addresses
from shared.http.event import Request
from shared.ledger.actions import Action

MOST_BYTES = 16_384
"""Of a form that is kept. It is encoded once more within the login form, which has a limit, too."""

MOST_FIELDS = 1_000

LONGEST_TARGET = 2_048
"""Characters of an address to come back to; proxies refuse longer ones, encoded once more."""

MOST_SHOWN = 20
"""Values of one field that are shown."""

_LABELS = {"action": "Action", "id": "Objects", "callback": "Callback"}
_WORDS = {
    Action.RETRY: "Retry",
    Action.RETRY_NOW: "Retry now",
    Action.FETCH_AGAIN: "Fetch again",
    Action.DISMISS: "Dismiss",
    Action.RESTORE: "Restore",
    Action.VERIFY: "Verify now",
}
"""The words of the actions' buttons."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """An action whose session had ended when its form was sent.

    Attributes:
        target: the address that the form was sent to.
        fields: what was filled in, without the token of the old session.
    """

    target: str
    fields: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, request: Request) -> Self | None:
        """Return the action of a form, None if it can't be kept or another site sent it."""
        if not from_this_site(request):
            return None
        return cls.decode(address_of(request), request.body.decode(errors="replace"))

    @classmethod
    def decode(cls, target: str, text: str) -> Self | None:
        """Return the action of an encoded form, None if it can't be kept.

        Args:
            target: the address that it is for.
            text: its fields, encoded.
        """
        if not addresses.is_own(target) or not text or len(text) > MOST_BYTES:
            return None
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            return None
        fields = [(name, value) for name, value in pairs if name != "csrf"]
        return cls(target, fields) if fields else None

    def encode(self) -> str:
        """Return the fields as `decode` reads them."""
        return urlencode(self.fields)

    @property
    def button(self) -> str:
        """The word on the button that confirms it."""
        names = [value for name, value in self.fields if name == "action"]
        known = len(names) == 1 and names[0] in set(Action)
        return _WORDS[Action(names[0])] if known else "Continue"

    @property
    def description(self) -> Sequence[tuple[str, str]]:
        """What it would do, as label and value."""
        values: dict[str, list[str]] = {}
        for name, value in self.fields:
            word = _WORDS[Action(value)] if name == "action" and value in set(Action) else value
            values.setdefault(_LABELS.get(name, name), []).append(word)
        return [
            (label, ", ".join(found[:MOST_SHOWN]) + _rest(len(found)))
            for label, found in values.items()
        ]


def address_of(request: Request) -> str:
    """Return the address of a request, with its query unless that is too long to be kept."""
    path = quote(request.path, safe="/")
    address = f"{path}?{request.raw_query}" if request.raw_query else path
    return address if len(address) <= LONGEST_TARGET else path


def from_this_site(request: Request) -> bool:
    """Return whether a page of this very site sent a request: what browsers say and no page can.

    =================  ==================  =======
    Sec-Fetch-Site     Origin              answer
    =================  ==================  =======
    same-origin        any                 True
    any other          any                 False
    none, as by HTTP   that of `Host`      True
    none               other, none         False
    =================  ==================  =======
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    host = request.headers.get("host")
    return bool(host) and urlsplit(request.headers.get("origin", "")).netloc == host


def _rest(number: int) -> str:
    return f" and {number - MOST_SHOWN} more" if number > MOST_SHOWN else ""
