"""Exported objects as CSV and JSON. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

COLUMNS = (
    "id",
    "state",
    "file_name",
    "file_type",
    "size_bytes",
    "sha256",
    "etag",
    "oeid",
    "ref_id",
    "origin",
    "attempts",
    "created_at",
    "queued_at",
    "next_attempt_at",
    "failed_at",
    "synced_at",
    "verified_by",
    "verification",
    "checked_at",
    "last_error",
)
"""The columns, named as the ledger's are."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet takes for a formula (OWASP, "CSV Injection")."""


def as_csv(objects: Sequence[Mapping[str, Any]], *, header: bool) -> bytes:
    """Return objects as CSV (RFC 4180) in UTF-8.

    A text that a spreadsheet would run as a formula begins with an apostrophe.

    Args:
        objects: what `shared.ledger.objects` reads.
        header: begin with the columns' names, as only the first part does.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if header:
        writer.writerow(COLUMNS)
    for found in objects:
        writer.writerow([_cell(found[name]) for name in COLUMNS])
    return text.getvalue().encode(errors="replace")


def as_json(objects: Sequence[Mapping[str, Any]], following: str | None) -> bytes:
    """Return objects as a JSON document: `objects`, and the URL of the `next` part or null.

    Args:
        objects: what `shared.ledger.objects` reads.
        following: the URL of the next part, None after the last one.
    """
    document = {
        "objects": [{name: _plain(found[name]) for name in COLUMNS} for found in objects],
        "next": following,
    }
    return json.dumps(document, ensure_ascii=False).encode(errors="replace")


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def _cell(value: object) -> object:
    plain = _plain(value)
    if isinstance(plain, str) and plain.startswith(_FORMULA):
        return f"'{plain}"
    return plain
