"""Every error of the service, in one tree.

::

    ServiceError
    ├── SettingError            a setting is missing or invalid
    │   └── SecretsUnavailable  or cannot be read now
    ├── RequestRefused          a request is answered with a refusal
    │   ├── BodyTooLarge
    │   ├── SignatureMissing
    │   ├── SignatureInvalid
    │   ├── TooManyRequests
    │   ├── MalformedJson
    │   ├── InvalidFields
    │   ├── ObjectExists
    │   ├── SecretRefused       of the store that sends events
    │   └── EventUnreadable
    ├── EventElsewhere          an event is ignored
    ├── UnreadableMessage       a queue message that names no row
    ├── RowRefused              a row that PostgreSQL does not take
    ├── MigrationFailed         the ledger's schema could not be brought up to date
    ├── Unavailable             one of our servers is unreachable
    │   ├── LedgerUnavailable
    │   ├── QueueUnavailable
    │   │   └── SqsUnavailable
    │   ├── CacheUnavailable
    │   └── AwsUnavailable      an API of AWS
    ├── AwsRefused              an API of AWS answers with an error
    ├── FileUnreadable          a stored file cannot be read
    │   └── FileMissing
    └── TransferError           one object could not be copied
        ├── RetryLater          another attempt may succeed
        │   ├── SourceUnavailable
        │   ├── CredentialsRefused
        │   ├── AddressRefused
        │   ├── BucketMissing
        │   ├── AccessRefused
        │   ├── ObjectHidden
        │   ├── ObjectNotVisible
        │   ├── ObjectChanged
        │   ├── NotAnObjectStore
        │   ├── ContentMismatch
        │   │   └── CopyUnproven
        │   ├── StorageFull
        │   ├── StorageUnavailable
        │   │   └── StorageForeign
        │   └── OutOfTime
        │       ├── WorkerStopping
        │       └── LedgerLost
        └── GiveUp              no attempt will succeed until a person fixes the cause
            ├── ObjectMissing
            ├── ObjectUnreadable
            ├── NameUnsafe
            ├── NameRefused
            └── TargetBlocked

The docstring of a class is its message; what an instance is about (a key, a setting, a field) is
passed to its constructor and follows the message. A `TransferError`'s text is what a person reads
in the admin, so it never contains a secret or a traceback. Which of them concern all objects
rather than one: `shared.pausing`.
"""

from __future__ import annotations

from shared.domain import UnprovenCopy


class ServiceError(Exception):
    """The service could not do what was asked."""

    reason: str = ""
    """What is wrong with the very request, where it is one; see `RequestRefused`."""

    def __init__(self, about: str = "") -> None:
        self.about = about
        self.title = (type(self).__doc__ or "").partition("\n")[0].rstrip(".")
        super().__init__(f"{self.title}: {about}" if about else self.title)

    def __reduce__(self) -> tuple[object, ...]:
        """Return how an error is made again in another process: of its parts, not of its text."""
        return _again, (type(self), self.args, self.__dict__)


def _again(
    kind: type[ServiceError], arguments: tuple[object, ...], parts: dict[str, object]
) -> ServiceError:
    """Return an error as it was, without its constructor, which each class has its own of."""
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(parts)
    return error


class SettingError(ServiceError):
    """Invalid setting."""


class SecretsUnavailable(SettingError):
    """Secrets Manager could not be called."""


class RequestRefused(ServiceError):
    """The request is refused.

    Args:
        reason: what is wrong with this very request, in one line for its client; empty if the
            class says it all.
    """

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__()


class BodyTooLarge(RequestRefused):
    """Request body too large."""


class SignatureMissing(RequestRefused):
    """Missing/empty Authorization header."""


class SignatureInvalid(RequestRefused):
    """Invalid HMAC signature hash."""


class TooManyRequests(RequestRefused):
    """Too many requests.

    Args:
        retry_after: whole seconds after which a request can be accepted again.
    """

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()


class MalformedJson(RequestRefused):
    """Malformed JSON data."""


class InvalidFields(RequestRefused):
    """Invalid JSON data.

    Args:
        errors: one `{"field": …, "reason": …}` for each invalid field.
    """

    def __init__(self, errors: list[dict[str, str]]) -> None:
        self.errors = errors
        texts = (f"{e['field']}: {e['reason']}" if e["field"] else e["reason"] for e in errors)
        super().__init__("; ".join(" ".join(text.split()) for text in texts))


class ObjectExists(RequestRefused):
    """Object already exists.

    Args:
        signature: the earlier request's, 32 bytes.
    """

    def __init__(self, signature: bytes) -> None:
        self.signature = signature
        super().__init__()


class SecretRefused(RequestRefused):
    """Missing or invalid secret."""


class EventUnreadable(RequestRefused):
    """Unreadable event."""


class EventElsewhere(ServiceError):
    """The event is of another bucket."""


class UnreadableMessage(ServiceError):
    """Unreadable message."""


class RowRefused(ServiceError):
    """PostgreSQL refuses the row.

    Args:
        about: its reason.
        column: the column that it objects to; empty if it does not say.
    """

    def __init__(self, about: str = "", column: str = "") -> None:
        self.column = column
        super().__init__(about)


class MigrationFailed(ServiceError):
    """The ledger's schema could not be brought up to date."""


class Unavailable(ServiceError):
    """A server is unreachable."""


class LedgerUnavailable(Unavailable):
    """PostgreSQL is unreachable."""


class QueueUnavailable(Unavailable):
    """RabbitMQ is unreachable."""


class SqsUnavailable(QueueUnavailable):
    """Amazon SQS is unreachable or refuses the request."""


class CacheUnavailable(Unavailable):
    """memcached is unreachable."""


class AwsUnavailable(Unavailable):
    """AWS could not be called."""


class AwsRefused(ServiceError):
    """AWS refuses the request; what follows is its error code."""


class FileUnreadable(ServiceError):
    """The file cannot be read."""


class FileMissing(FileUnreadable):
    """The file does not exist."""


class TransferError(ServiceError):
    """The object could not be copied."""


class RetryLater(TransferError):
    """The attempt failed, another one may succeed."""


class SourceUnavailable(RetryLater):
    """The object store could not be read."""


class CredentialsRefused(RetryLater):
    """The object store refuses the credentials."""


class AddressRefused(RetryLater):
    """The object store refuses the bucket's address."""


class BucketMissing(RetryLater):
    """The bucket does not exist."""


class AccessRefused(RetryLater):
    """The object store refuses access."""


class ObjectHidden(RetryLater):
    """The object store refuses access, or the object does not exist yet.

    Where the bucket may not be listed, S3 answers 403 for a missing object as well (S3 API
    reference, GetObject, "Permissions").
    """


class ObjectNotVisible(RetryLater):
    """The object does not exist yet."""


class ObjectChanged(RetryLater):
    """The object was replaced while it was copied."""


class NotAnObjectStore(RetryLater):
    """This does not answer like S3: check AWS_ENDPOINT_URL_S3 / the proxy."""


class ContentMismatch(RetryLater):
    """The received bytes differ from the object."""


class CopyUnproven(ContentMismatch):
    """The received bytes differ from the object, or it has no checksum.

    Nothing but the ETag, which need not be an MD5, contradicts the copy.

    Args:
        about: what does not match.
        copy: what was received.
        first: whether there was no earlier copy to compare it with.
    """

    def __init__(self, about: str, copy: UnprovenCopy, *, first: bool) -> None:
        self.copy = copy
        self.first = first
        super().__init__(about)


class StorageFull(RetryLater):
    """The local storage is full."""


class StorageUnavailable(RetryLater):
    """The local storage could not be written."""


class StorageForeign(StorageUnavailable):
    """The local storage does not belong to this installation."""


class OutOfTime(RetryLater):
    """The worker had no time left for the object."""


class WorkerStopping(OutOfTime):
    """The worker was stopped while it copied the object."""


class LedgerLost(OutOfTime):
    """The worker lost the database while it copied the object."""


class GiveUp(TransferError):
    """The object cannot be copied."""


class ObjectMissing(GiveUp):
    """The object does not exist."""


class ObjectUnreadable(GiveUp):
    """The object cannot be read as it is."""


class NameUnsafe(GiveUp):
    """The file name is unsafe.

    It allows path traversal or is reserved; see `shared.storage.object_key`.
    """


class NameRefused(GiveUp):
    """The local storage cannot keep a file of this name."""


class TargetBlocked(GiveUp):
    """The path is taken by something that is not a regular file."""
