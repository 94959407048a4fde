"""The media type of an object that nothing but its key is known of."""

from __future__ import annotations

from mimetypes import MimeTypes

UNKNOWN_TYPE = "application/octet-stream"
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_TYPES = MimeTypes()
"""Python's own table: one of the machine's would give an object another type elsewhere."""


def file_type(key: str) -> str:
    """Return the media type that the end of a key suggests.

    =============  ============================
    key            type
    =============  ============================
    ``a/b.JPG``    ``image/jpeg``
    ``b.tar.gz``   ``application/gzip``
    ``README``     ``application/octet-stream``
    =============  ============================
    """
    # Behind "./" nothing is taken for the scheme of a URL.
    kind, encoding = _TYPES.guess_type(f"./{key.rpartition('/')[2]}")
    if encoding is not None:
        return _COMPRESSED.get(encoding, UNKNOWN_TYPE)
    return kind or UNKNOWN_TYPE
