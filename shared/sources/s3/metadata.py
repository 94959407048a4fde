"""What the headers of an S3 server say of an object beside its content: a pure rule."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from shared.domain import Metadata

_KEPT = frozenset({"content-type", "etag"})
_USER = "x-amz-meta-"


def metadata(headers: Mapping[str, str]) -> Metadata:
    """Return the metadata of an object.

    ======================================  ==================================
    header                                  result
    ======================================  ==================================
    ``last-modified``, a date of RFC 9110   ``modified``, seconds since 1970
    the same, anything else or missing      None
    ``content-type``, ``etag``              ``headers``, as they are
    ``x-amz-meta-…``                        ``headers``, as they are
    any other                               nothing
    ======================================  ==================================

    Args:
        headers: of a response with content, names in lower case.
    """
    kept = {n: v for n, v in headers.items() if n in _KEPT or n.startswith(_USER)}
    return Metadata(_seconds(headers.get("last-modified", "")), kept)


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
