"""Recording what the bucket has and the ledger has not."""

from __future__ import annotations

from collections.abc import Sequence

from functions.reconcile.comparison import Judgement, Remedy
from functions.reconcile.step import Step
from shared.idempotency import version_key
from shared.ledger.found_objects import FoundObject, FoundObjects
from shared.ledger.selection import Origin
from shared.media_types import file_type
from shared.sources.listing import ListedObject


def record(
    found_objects: FoundObjects,
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
        found = [
            FoundObject(one.key, file_type(one.key), key, request_id)
            for key, (one, _) in wanted.items()
        ]
        recorded = found_objects.record(found, Origin.RECONCILE)
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
