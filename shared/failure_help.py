"""What the reason of a failure means, and what to do about it: for the admin and for people. Pure.

A reason is the title of an error (its text without details), as `shared.errors` has it. See
`reason_of` for what is kept as its own reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared import errors

WORKER_STOPPED = "The worker stopped without an answer"
"""The reason of an object whose workers died until its attempts were used up."""

_WORKER_STOPPED = "the worker stopped without an answer, attempts used up"
"""How the error of such an object ends; see `fail_exhausted` of the ledger."""


@dataclass(frozen=True, slots=True)
class Help:
    """What a person needs to know about a reason.

    Attributes:
        meaning: what happened, in one sentence.
        next_step: what to do, in one sentence.
        retry_first: whether a retry may succeed although nothing was changed.
    """

    meaning: str
    next_step: str
    retry_first: bool = False


UNKNOWN = Help(
    "This reason has no explanation of its own.",
    "Read the full error of an example, fix its cause, then retry.",
)

_BY_ERROR: dict[type, Help] = {
    errors.ObjectMissing: Help(
        "S3 has no object of this name. It was deleted, never uploaded, or uploaded under another"
        " name.",
        "Upload the object, then retry. If it is not needed, dismiss the failure.",
    ),
    errors.ObjectNotVisible: Help(
        "S3 had no object of this name yet each time it was asked.",
        "Check that the upload has finished, then retry.",
        retry_first=True,
    ),
    errors.ObjectUnreadable: Help(
        "The object is stored in a way that cannot be read directly, such as an archive class or a"
        " key of the client.",
        "Restore the object, or store it again in a readable class, then retry.",
    ),
    errors.ObjectChanged: Help(
        "The object was replaced while it was copied.",
        "Retry when its uploads have ended.",
        retry_first=True,
    ),
    errors.ObjectHidden: Help(
        "S3 refuses access, or the object does not exist: without s3:ListBucket both look alike.",
        "Grant s3:GetObject and s3:ListBucket on the bucket, or upload the object, then retry.",
    ),
    errors.AccessRefused: Help(
        "S3 refuses to read the object.",
        "Grant s3:GetObject on it, and kms:Decrypt if it is encrypted with a KMS key, then retry.",
    ),
    errors.CredentialsRefused: Help(
        "S3 refuses the service's credentials, so no object can be read.",
        "Correct the access key or the role, then retry.",
    ),
    errors.AddressRefused: Help(
        "S3 refuses the way in which the bucket is addressed.",
        "Set S3_ADDRESSING and AWS_S3_REGION_NAME as the store expects, then retry.",
    ),
    errors.BucketMissing: Help(
        "The bucket does not exist at this endpoint.",
        "Correct AWS_STORAGE_BUCKET_NAME or AWS_ENDPOINT_URL_S3, then retry.",
    ),
    errors.NotAnObjectStore: Help(
        "What answered is no S3: a proxy, a login page or another server.",
        "Correct AWS_ENDPOINT_URL_S3 or the proxy, then retry.",
    ),
    errors.SourceUnavailable: Help(
        "S3 could not be reached, or answered with an error.",
        "Check the network and the state of S3, then retry.",
        retry_first=True,
    ),
    errors.ContentMismatch: Help(
        "The bytes that came are not those of the object. The incomplete copy was not kept.",
        "Retry. If it happens again, look for a proxy that changes or cuts off downloads.",
        retry_first=True,
    ),
    errors.CopyUnproven: Help(
        "The copy differs from the object's ETag, and the object has no checksum to decide.",
        "Retry. If it happens again, upload the object with a checksum, or see ETAG_MISMATCH.",
        retry_first=True,
    ),
    errors.StorageFull: Help(
        "The local storage has no space left for the file.",
        "Make room on the storage, then retry.",
    ),
    errors.StorageUnavailable: Help(
        "The local storage could not be written.",
        "Check the disk, its mount and its permissions, then retry.",
    ),
    errors.StorageForeign: Help(
        "The storage belongs to another installation, or is not mounted.",
        "Mount the right storage, or adopt this one with ./sync adopt-storage, then retry.",
    ),
    errors.OutOfTime: Help(
        "The worker had no time left before the object was complete.",
        "Retry. For large objects, give the worker more time.",
        retry_first=True,
    ),
    errors.WorkerStopping: Help(
        "The worker was stopped while it copied the object.",
        "Retry.",
        retry_first=True,
    ),
    errors.LedgerLost: Help(
        "The database was unreachable for too long while the object was copied.",
        "Retry.",
        retry_first=True,
    ),
    errors.NameUnsafe: Help(
        "The name would leave the storage folder, or is reserved.",
        "Upload the object under another name, then dismiss this failure.",
    ),
    errors.NameRefused: Help(
        "The storage's file system cannot keep a file of this name.",
        "Upload the object under another name, then dismiss this failure.",
    ),
    errors.TargetBlocked: Help(
        "Something that is no regular file, such as a folder, is in the place of the file.",
        "Move it out of the storage, then retry.",
    ),
    errors.GiveUp: Help(
        "The object was read, but cannot be recorded.",
        "Read the full error of an example, fix its cause, then retry.",
    ),
}


def _by_reason() -> Iterator[tuple[str, Help]]:
    kinds = [errors.TransferError]
    for kind in kinds:  # grows meanwhile: the whole tree
        kinds += kind.__subclasses__()
        title = (kind.__doc__ or "").partition("\n")[0].rstrip(".")
        # An error without an entry of its own is explained as the more general one.
        help_ = next((_BY_ERROR[base] for base in kind.__mro__ if base in _BY_ERROR), UNKNOWN)
        yield title.partition(": ")[0], help_
    yield (
        WORKER_STOPPED,
        Help(
            "Each worker that copied the object died, so its attempts are used up.",
            "Look for crashes in the worker's log, often for lack of memory, then retry.",
        ),
    )


_BY_REASON = dict(_by_reason())


def reason_of(error: str) -> str:
    """Return the reason of a failure: its error without the details.

    =============================================  ====================================
    error                                          reason
    =============================================  ====================================
    The object does not exist: 404 NoSuchKey       The object does not exist
    The local storage is full                      The local storage is full
    …; then the worker stopped without an answer…  The worker stopped without an answer
    =============================================  ====================================

    The ledger does the same in SQL: `shared/ledger/reason.sql`.
    """
    return WORKER_STOPPED if error.endswith(_WORKER_STOPPED) else error.partition(": ")[0]


def help_for(reason: str) -> Help:
    """Return what a reason, or a whole error, means and what to do, or `UNKNOWN`."""
    return _BY_REASON.get(reason_of(reason), UNKNOWN)
