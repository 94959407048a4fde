"""The idempotency key of an object that no client signed: one rule for every other way in.

A request's key is its signature. What a listing of the bucket or a notification of the store tells
of has this one in the same column, so that one unique constraint decides whatever comes twice.
"""

from __future__ import annotations

import hashlib

_PURPOSE = b"external-storage-sync: one version of an object"
"""Keeps the key apart from every other SHA-256, a signature's included."""


def version_key(bucket: str, key: str, kind: str, version: str) -> bytes:
    """Return the idempotency key of one version of an object, 32 bytes.

    Each part is preceded by its length, so that no two lists of parts are hashed as one text.

    Args:
        bucket: its name.
        key: the object's key.
        kind: what `version` is, "etag" where there is one: a listing has no other.
        version: tells this version of the object from all others, an ETag without its quotes.
    """
    digest = hashlib.sha256()
    for part in (_PURPOSE, *(text.encode() for text in (bucket, key, kind, version))):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
