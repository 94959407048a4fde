"""The filter that selects objects, for the command line, the admin and the functions."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self

from shared.ledger.rows import State
from shared.ledger.search import Term


class Origin(enum.StrEnum):
    """How the service learned of an object."""

    REQUEST = "request"
    """A client's signed request."""
    RECONCILE = "reconcile"
    """A listing of the bucket; no request or event had named it."""
    S3_EVENT = "s3_event"
    """An event notification of the store."""


class Verification(enum.StrEnum):
    """Whether an object's file still matches what was recorded."""

    OK = "ok"
    DAMAGED = "damaged"
    """Its bytes or its size differ from the recorded ones."""
    MISSING = "missing"
    UNREADABLE = "unreadable"
    REPLACED = "replaced"
    """A newer object has taken its name."""


PROBLEMS = (Verification.DAMAGED, Verification.MISSING, Verification.UNREADABLE)
"""The results that need attention."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter: it selects the objects that meet every given criterion.

    Attributes:
        ids: one of these.
        states: in one of these states.
        text: what the admin's search finds for this text, see `Term`.
        reason: the error of the failure or last attempt contains this text, ignoring case.
        exact_reason: that error, without its details, is exactly this; see `shared.failure_help`.
        name: the file name, or a pattern where `*` matches any text and `?` any character.
        file_type: of this media type.
        origin: the service learned of them in this way.
        received_from: accepted at this time (aware, as all times here) or later.
        received_before: accepted before this time.
        failed_from: failed at this time or later.
        failed_before: failed before this time.
        synced_from: synced at this time or later.
        synced_before: synced before this time.
        verified: the last verification had one of these results.
        unverified: the file has not been verified since it was copied.
        changed_by: the action with this id has changed them.
    """

    ids: tuple[int, ...] | None = None
    states: tuple[State, ...] | None = None
    text: str | None = None
    reason: str | None = None
    exact_reason: str | None = None
    name: str | None = None
    file_type: str | None = None
    origin: Origin | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None
    failed_from: datetime | None = None
    failed_before: datetime | None = None
    synced_from: datetime | None = None
    synced_before: datetime | None = None
    verified: tuple[Verification, ...] | None = None
    unverified: bool = False
    changed_by: int | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of `selection.sql`."""
        values = asdict(self)
        for name in ("ids", "states", "verified"):
            if values[name] is not None:
                values[name] = [getattr(value, "value", value) for value in values[name]]
        values["problems"] = None
        if self.verified is not None and set(self.verified) <= set(PROBLEMS):
            values["problems"], values["verified"] = values["verified"], None
        term = Term.parse(values.pop("text") or "")
        values |= {
            "search_text": term.text if term else None,
            "piece": f"%{literal(term.text)}%" if term else None,
            "low": term.low if term else None,
            "high": term.high if term else None,
            "number": term.number if term else None,
        }
        if self.reason is not None:
            values["reason"] = f"%{literal(self.reason)}%"
        if self.name is not None:
            values["name"] = like(self.name)
        if self.origin is not None:
            values["origin"] = self.origin.value
        return values

    def document(self) -> dict[str, Any]:
        """Return the given criteria, in a form that JSON can hold."""
        return {
            field.name: _plain(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) not in (None, False)
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the selection that `document` returned this for."""
        values = dict(document)
        for name, kind in (("ids", int), ("states", State), ("verified", Verification)):
            if name in values:
                values[name] = tuple(map(kind, values[name]))
        if "origin" in values:
            values["origin"] = Origin(values["origin"])
        for name, value in document.items():
            if name.endswith(("_from", "_before")):
                values[name] = datetime.fromisoformat(value)
        return cls(**values)


def like(pattern: str) -> str:
    r"""Return the LIKE pattern for a name or a pattern of names.

    ===========  ============
    pattern      LIKE
    ===========  ============
    ``a_b.jpg``  ``a\_b.jpg``
    ``a/*.jp?``  ``a/%.jp_``
    ===========  ============
    """
    return literal(pattern).replace("*", "%").replace("?", "_")


def literal(text: str) -> str:
    """Return the LIKE pattern of this very text."""
    return re.sub(r"([\\%_])", r"\\\1", text.replace("\0", ""))


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value
