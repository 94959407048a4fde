"""Which objects are meant: one filter for the command line, the admin and the functions."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self

from shared.ledger.rows import State


class Origin(enum.StrEnum):
    """How the service learned of an object."""

    REQUEST = "request"
    """A client's signed request."""
    RECONCILE = "reconcile"
    """It was in the bucket, and nothing had told of it."""
    S3_EVENT = "s3_event"
    """An event notification of the store."""


class Verification(enum.StrEnum):
    """Whether an object's file still is what was recorded."""

    OK = "ok"
    DAMAGED = "damaged"
    """Its bytes or its size differ."""
    MISSING = "missing"
    UNREADABLE = "unreadable"
    REPLACED = "replaced"
    """A newer object has its name now."""


PROBLEMS = (Verification.DAMAGED, Verification.MISSING, Verification.UNREADABLE)
"""What a person has to do something about."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter: objects that meet every criterion that is given.

    Attributes:
        ids: one of these.
        states: in one of these states.
        reason: the reason of the failure or of the last attempt has this text, in any case.
        name: the file name, or a pattern in which `*` is any text and `?` any character.
        file_type: of this media type.
        origin: learned of in this way.
        received_from: accepted at that moment (aware, as all of them) or later.
        received_before: accepted before that moment.
        failed_from: failed then or later.
        failed_before: failed before then.
        synced_from: synced then or later.
        synced_before: synced before then.
        verified: one of these was found.
        unverified: the file has not been read again since it was copied.
    """

    ids: tuple[int, ...] | None = None
    states: tuple[State, ...] | None = None
    reason: str | None = None
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

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of `selection.sql`."""
        values = asdict(self)
        for name in ("ids", "states", "verified"):
            if values[name] is not None:
                values[name] = [getattr(value, "value", value) for value in values[name]]
        values["problems"] = None
        if self.verified is not None and set(self.verified) <= set(PROBLEMS):
            values["problems"], values["verified"] = values["verified"], None
        if self.reason is not None:
            values["reason"] = f"%{literal(self.reason)}%"
        if self.name is not None:
            values["name"] = like(self.name)
        if self.origin is not None:
            values["origin"] = self.origin.value
        return values

    def document(self) -> dict[str, Any]:
        """Return the criteria that are given, as JSON can hold them."""
        return {
            field.name: _plain(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) not in (None, False)
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the selection that `document` was called of."""
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
    r"""Return the LIKE pattern of a name or a pattern of names.

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
