"""Which object keys may become file names: one pure rule for ingest and for the storage."""

from __future__ import annotations

import unicodedata
from unicodedata import normalize

MAX_KEY_BYTES = 1024
"""S3's own limit, in UTF-8 bytes (AWS S3 user guide, "Naming Amazon S3 objects")."""

MAX_SEGMENT_BYTES = 255
"""NAME_MAX of Linux's and macOS's file systems."""

RESERVED_SEGMENT = ".incoming"
"""The storage keeps its unfinished files in this folder."""


def check_key(name: str) -> str | None:
    r"""Return why a key is unsafe as a file name: path traversal, or a reserved name.

    ======================  ==========================================
    key                     result
    ======================  ==========================================
    ``a.jpg``               None
    ``a b/ü/日本.jpg``      None
    ``...``, ``.a``, ``~``  None: ordinary names, however odd
    ``a/.incoming``         None: only the first segment is reserved
    (nothing)               is empty
    1,025 bytes             is longer than 1024 bytes
    ``\ud800``              is not valid Unicode
    ``a\x00``, ``a\x7f``    contains a control character
    ``a\b``                 contains a backslash
    ``/a``                  is an absolute path
    ``a//b``, ``a/``        has an empty path segment
    ``.``, ``a/./b``        has a "." path segment
    ``..``, ``a/../b``      has a ".." path segment
    a segment of 256 bytes  has a path segment longer than 255 bytes
    ``.incoming/a``         begins with the reserved segment .incoming
    ``.INCOMING/a``         the same: some file systems ignore case
    ======================  ==========================================

    Args:
        name: the object's key.

    Returns:
        The reason, worded to follow the name of the field, or None where the key is safe.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if size > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    return _check_characters(name) or _check_segments(name.split("/"))


def fold(name: str) -> str:
    """Return what two names have in common if any file system may take them for one.

    It ignores case and the forms of Unicode, and so takes more names for one than any file system
    does: enough to have them placed one after another, too much to refuse one.
    """
    return normalize("NFKD", normalize("NFKD", name).casefold())


def _check_characters(name: str) -> str | None:
    if not name:
        return "is empty"
    if "\\" in name:
        return "contains a backslash"
    if not name.isprintable() and any(unicodedata.category(c) == "Cc" for c in name):
        return "contains a control character"
    if name.startswith("/"):
        return "is an absolute path"
    return None


def _check_segments(segments: list[str]) -> str | None:
    for segment in segments:
        if not segment:
            return "has an empty path segment"
        if segment in {".", ".."}:
            return f'has a "{segment}" path segment'
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            return f"has a path segment longer than {MAX_SEGMENT_BYTES} bytes"
    if segments[0].casefold() == RESERVED_SEGMENT:
        return f"begins with the reserved segment {RESERVED_SEGMENT}"
    return None
