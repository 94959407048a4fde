"""Inspecting a bucket from outside: its existence, the credentials' permissions, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from shared.aws.s3 import s3_client
from shared.config.settings import Settings, needed
from shared.errors import SourceUnavailable

READABLE = frozenset(
    {
        HTTPStatus.OK,
        HTTPStatus.PARTIAL_CONTENT,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,  # an empty object has no first byte
    }
)

ARCHIVED = "InvalidObjectState"
"""Code for an object that must be restored from an archive first: permission was granted."""


@dataclass(frozen=True, slots=True)
class Request:
    """The outcome of one request.

    Attributes:
        name: the operation, such as ``ListBucket``.
        granted: whether it was allowed; None if it could not be tried.
        status: HTTP status, 0 if it was not tried.
        about: the server's code and text, or why it was not tried.
    """

    name: str
    granted: bool | None
    status: int
    about: str


@dataclass(frozen=True, slots=True)
class BucketFound:
    """What was found about a bucket.

    Attributes:
        requests: HeadBucket, ListBucket and GetObject, in this order.
        clock_seconds: how far the server's clock is ahead of this machine's, to a second; None
            if it sends no date.
    """

    requests: tuple[Request, ...]
    clock_seconds: float | None


def inspect(settings: Settings, clock: Callable[[], float] = time.time) -> BucketFound:
    """Try what the service needs: access to its bucket, a listing, and one of its objects.

    Args:
        settings: the `AWS_S3_*` ones and the endpoint.
        clock: seconds since 1970.

    Raises:
        SettingError: no bucket is set.
        SourceUnavailable: the server is unreachable, or boto3 refuses the settings.
    """
    bucket = needed(settings.bucket, "AWS_S3_BUCKET_NAME")
    client = s3_client(settings)
    before = clock()
    head, answer = _tried("HeadBucket", client.head_bucket, Bucket=bucket)
    middle = (before + clock()) / 2
    listing, listed = _tried("ListBucket", client.list_objects_v2, Bucket=bucket, MaxKeys=1)
    reading = Request("GetObject", None, 0, "no object to try was found")
    if contents := listed.get("Contents"):
        payer = {"RequestPayer": settings.s3_request_payer} if settings.s3_request_payer else {}
        reading, got = _tried(
            "GetObject",
            client.get_object,
            Bucket=bucket,
            Key=contents[0]["Key"],
            Range="bytes=0-0",
            **payer,
        )
        if "Body" in got:
            got["Body"].close()
    return BucketFound((head, listing, reading), _ahead(answer, middle))


def _tried(name: str, call: Callable[..., Any], **arguments: str | int) -> tuple[Request, Any]:
    """Return the outcome of a request, and its response.

    Raises:
        SourceUnavailable: there was no response.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer: Any = call(**arguments)
    except ClientError as refusal:
        answer = refusal.response
    except (BotoCoreError, ValueError) as error:  # ValueError: of the login of a proxy
        raise SourceUnavailable(" ".join(str(error).split())) from error
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    document = answer.get("Error", {})
    code, text = (" ".join(str(document.get(part, "")).split()) for part in ("Code", "Message"))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SourceUnavailable(f"it answered {status} {code}")
    granted = status in READABLE or code == ARCHIVED
    about = f"{status} {code}".strip() + (f": {text}" if text and text != code else "")
    return Request(name, granted, status, "" if granted else about), answer


def _ahead(answer: Mapping[str, Any], now: float) -> float | None:
    sent = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if sent is None:
        return None
    try:
        # The header has whole seconds, on average half a second ago.
        return parsedate_to_datetime(sent).timestamp() + 0.5 - now
    except ValueError:
        return None
