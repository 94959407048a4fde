"""What a refusal shows to be outdated: the region, the addressing style or the credentials.

A refusal of that kind is no property of the object: with the right value the same request succeeds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from shared.sources.s3 import refusals
from shared.sources.s3.location import Location, SignedUrl

CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
"""Codes, with 400 or 403, for credentials that are wrong or no longer right."""

_STYLE_MESSAGE = re.compile(
    rb"<Message>[^<]*virtual[- ]?(host|style)[^<]*</Message>", re.IGNORECASE
)
"""For stores whose code is not in `STYLE_CODES`: all of those but TOS say it in words, too."""


class Kind(Enum):
    """What a remedy changes."""

    REGION = "region"
    STYLE = "style"
    CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of the location, after which a refused request may succeed.

    Attributes:
        kind: what it changes.
        apply: makes the change, and returns whether there was something to change; may block.
            Raises `SourceUnavailable` where boto3 refuses the new value.
    """

    kind: Kind
    apply: Callable[[], bool]


def remedy_for(
    location: Location, target: SignedUrl, status: int, headers: Mapping[str, str], document: bytes
) -> Remedy | None:
    """Return the remedy for a refused request, None where the refusal has another reason.

    Args:
        location: of the object.
        target: what the request was signed with.
        status: of the response.
        headers: of it, names lower-case.
        document: of it.
    """
    region = refusals.region_of(status, headers, document)
    if region and region != target.region:
        return Remedy(Kind.REGION, lambda: location.move(region))
    code = refusals.code_of(document)
    if code in CREDENTIAL_CODES:
        return Remedy(Kind.CREDENTIALS, lambda: location.renew(target.credentials))
    if code in refusals.STYLE_CODES or _STYLE_MESSAGE.search(document):
        return Remedy(Kind.STYLE, lambda: location.use_virtual_host(target))
    return None
