"""Recording what the bucket has and the ledger has not."""

from __future__ import annotations

from collections.abc import Sequence
from mimetypes import MimeTypes

from functions.reconcile.comparison import Judgement, Remedy
from functions.reconcile.step import Step
from shared.idempotency import version_key
from shared.ledger.reconciling import FoundObject, Reconciling
from shared.ledger.selection import Origin
from shared.sources.listing import ListedObject

UNKNOWN_TYPE = "application/octet-stream"
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_TYPES = MimeTypes()
"""Python's own table: one of the machine's would give an object another type elsewhere."""


def record(
    reconciling: Reconciling,
    bucket: str,
    request_id: str,
    judged: Sequence[tuple[ListedObject, Judgement]],
    step: Step,
) -> None:
    """Record the objects of a portion that nothing told of, and note in the step what is done.

    A version that was recorded before, and is the bucket's again, is fetched again.
    """
    wanted = {
        key_of(bucket, listed): (listed, judgement)
        for listed, judgement in judged
        if judgement.remedy is Remedy.RECORD
    }
    if wanted:
        found = [FoundObject(one.key, file_type(one.key), key) for key, (one, _) in wanted.items()]
        recorded = reconciling.record(found, Origin.RECONCILE, request_id)
        step.counts["recorded"] += len(recorded)
        step.again += [
            judgement.stored.row_id
            for key, (_, judgement) in wanted.items()
            if key not in recorded and judgement.stored is not None
        ]
    step.again += [
        judgement.stored.row_id
        for _, judgement in judged
        if judgement.remedy is Remedy.FETCH_AGAIN and judgement.stored is not None
    ]


def key_of(bucket: str, listed: ListedObject) -> bytes:
    """Return the idempotency key of a listed object; without an ETag its date and size count."""
    if listed.etag:
        return version_key(bucket, listed.key, "etag", listed.etag)
    modified = "" if listed.modified is None else listed.modified.isoformat()
    return version_key(bucket, listed.key, "modified", f"{modified} {listed.size}")


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
