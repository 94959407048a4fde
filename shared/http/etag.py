"""Entity tags and the condition that asks for them (RFC 9110, sections 8.8.3 and 13.1.2). Pure."""

from __future__ import annotations

import hashlib

DIGITS = 32
"""Of the digest's 64: as many bits as a UUID has, half of them to spare."""


def strong(content: bytes) -> str:
    """Return a tag that differs as soon as one byte of the content does."""
    return f'"{hashlib.sha256(content).hexdigest()[:DIGITS]}"'


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Return whether the client has this version already, by weak comparison.

    ================  ========  =========
    If-None-Match     etag      unchanged
    ================  ========  =========
    (none)            ``"a"``   no
    ``"a"``           ``"a"``   yes
    ``W/"a"``         ``"a"``   yes
    ``"b", "a"``      ``"a"``   yes
    ``*``             ``"a"``   yes
    ``"b"``           ``"a"``   no
    ================  ========  =========

    Args:
        if_none_match: the header's value, None if it was not sent.
        etag: this version's, which has no comma in it.
    """
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags
