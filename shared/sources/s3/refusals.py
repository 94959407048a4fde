"""What an S3 server's error responses mean: pure rules, from status and error document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from shared.errors import (
    AccessRefused,
    AddressRefused,
    BucketMissing,
    CredentialsRefused,
    ObjectChanged,
    ObjectHidden,
    ObjectMissing,
    ObjectNotVisible,
    SourceUnavailable,
    TransferError,
)

MAX_DOCUMENT_BYTES = 65_536
"""How much of an error document is kept."""

_PASSING = {
    "SlowDown": "it asks to slow down",
    "RequestTimeout": "the request took too long to arrive",
    "RequestLimitExceeded": "it asks to slow down",
    "ThrottlingException": "it asks to slow down",
}
"""Codes that come with 400 as well as 503, and mean that a later attempt may succeed."""

_CREDENTIALS = {
    "InvalidAccessKeyId": "the access key is unknown there",
    "SignatureDoesNotMatch": "the secret key is wrong, or a proxy changes the object's URL",
    "InvalidToken": "the session token is wrong",
    "ExpiredToken": "the session token has expired",
    "TokenRefreshRequired": "the session token must be refreshed",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "AccountProblem": "there is a problem with the AWS account",
    "AllAccessDisabled": "all access to the bucket has been disabled",
}
"""Codes with which no object at all can be read until a person, or a new token, changes that."""

STYLE_CODES = frozenset(
    {
        "InvalidPathAccess",  # Volcengine TOS
        "PathStyleDomainForbidden",  # Tencent COS
        "SecondLevelDomainForbidden",  # Alibaba OSS
        "VirtualHostDomainRequired",  # Huawei OBS
    }
)
"""Codes with which a store refuses the bucket's name in the path, see `remedies`."""

_ADDRESS = dict.fromkeys(STYLE_CODES, "it takes no bucket in the path; set S3_ADDRESSING=virtual")

_MEANINGS: tuple[tuple[type[TransferError], Mapping[str, str]], ...] = (
    (SourceUnavailable, _PASSING),
    (CredentialsRefused, _CREDENTIALS),
    (AddressRefused, _ADDRESS),
)

_CHANGED = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE})


def code_of(document: bytes) -> str:
    """Return the `Code` of an S3 error document, or an empty text."""
    match = re.search(rb"<Code>\s*([A-Za-z0-9.]{1,64})\s*</Code>", document[:MAX_DOCUMENT_BYTES])
    return match[1].decode() if match else ""


def region_of(status: int, headers: Mapping[str, str], document: bytes) -> str | None:
    """Return the region that a response refers us to, None where it refers to none.

    S3 responds so to a request that reached, or was signed for, another region than the bucket's
    (AWS S3 user guide, "Making requests using the REST API", request redirection).
    """
    if status == HTTPStatus.BAD_REQUEST:
        if code_of(document) != "AuthorizationHeaderMalformed":
            return None
    elif status not in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT}:
        return None
    match = re.search(rb"<Region>\s*([a-z0-9-]{1,32})\s*</Region>", document)
    named = headers.get("x-amz-bucket-region", "") or (match[1].decode() if match else "")
    return named if re.fullmatch(r"[a-z0-9-]{1,32}", named) else None


def refusal(status: int, document: bytes, *, within_grace: bool) -> TransferError:
    """Return the error that a response other than 200 and 206 means, but for `unreadable`'s.

    ==============================  ===========================================
    response                        error
    ==============================  ===========================================
    a code of `_PASSING`            `SourceUnavailable`, whatever the status
    a code of `_CREDENTIALS`        `CredentialsRefused`, whatever the status
    a code of `STYLE_CODES`         `AddressRefused`, whatever the status
    code NoSuchBucket               `BucketMissing`
    other 404, within the grace     `ObjectNotVisible`
    other 404, after it             `ObjectMissing`
    401, 403, within the grace      `ObjectHidden`: it may only be missing yet
    401, 403, after it              `AccessRefused`
    412, 416                        `ObjectChanged`: ranges are pinned and known
    3xx                             `SourceUnavailable`: never followed
    5xx, 408, 429, anything else    `SourceUnavailable`
    ==============================  ===========================================

    Args:
        status: of the response.
        document: its body, or the beginning of it.
        within_grace: whether a missing object may yet become visible.
    """
    code = code_of(document)
    shown = f"{status} {code}".strip()
    for kind, meanings in _MEANINGS:
        if code in meanings:
            return kind(f"{meanings[code]} ({shown})")
    if code == "NoSuchBucket":
        return BucketMissing(shown)
    if status == HTTPStatus.NOT_FOUND:
        return ObjectNotVisible(shown) if within_grace else ObjectMissing(shown)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return (ObjectHidden if within_grace else AccessRefused)(
            "s3:GetObject is not granted for it, or it is missing, which only s3:ListBucket on the"
            f" bucket would show ({shown})"
        )
    if status in _CHANGED:
        return ObjectChanged(shown)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return SourceUnavailable(
            f"it redirects elsewhere; check AWS_S3_REGION_NAME and AWS_ENDPOINT_URL_S3 ({shown})"
        )
    return SourceUnavailable(f"it answered {shown}")
