"""Fields of a document that anyone may have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.http.request_id import is_safe


class Unexpected(ValueError):
    """A field is missing, or of another type; the text says which, and what was expected."""


def get(document: Any, *path: str) -> Any:
    """Return what is at a path of names, None where there is nothing."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document


def text(document: Any, *path: str) -> str:
    """Return a text that must be there.

    Raises:
        Unexpected: it is not.
    """
    found = get(document, *path)
    if not isinstance(found, str) or not found:
        raise Unexpected(f"{'.'.join(path)}: expected a text, found {_shown(found)}")
    return found


def maybe_text(document: Any, *path: str) -> str | None:
    """Return a text, None where there is none or an empty one.

    Raises:
        Unexpected: something else is there, or it is not valid Unicode.
    """
    found = get(document, *path)
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise Unexpected(f"{'.'.join(path)}: expected a text, found {_shown(found)}")
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise Unexpected(f"{'.'.join(path)}: not valid Unicode") from error
    return found


def etag(document: Any, *path: str) -> str | None:
    """Return an ETag without its quotes, None where there is none.

    Raises:
        Unexpected: as `maybe_text`.
    """
    found = maybe_text(document, *path)
    return found.strip('"') or None if found else None


def version_id(document: Any, *path: str) -> str | None:
    """Return a version's id, None where there is none; S3 names the one without versions "null".

    Raises:
        Unexpected: as `maybe_text`.
    """
    found = maybe_text(document, *path)
    return None if found == "null" else found


def size(document: Any, *path: str) -> int | None:
    """Return a number of bytes, in Ceph's documentation a text; None if there is none."""
    found = get(document, *path)
    if isinstance(found, str) and found.isascii() and found.isdigit():
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def request_id(document: Any, *path: str) -> str | None:
    """Return the id of a request at the store, None unless it has our safe form."""
    found = get(document, *path)
    return found if isinstance(found, str) and is_safe(found) else None


def _shown(found: object) -> str:
    match found:
        case None:
            return "nothing"
        case str():
            return "an empty one"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"
