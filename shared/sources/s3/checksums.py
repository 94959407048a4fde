"""What the headers of an S3 server promise about an object's bytes: pure rules.

A full-object checksum is the digest of the whole content. A composite one (`…-N`, and the ETag of
a multipart upload) covers N parts, see `shared.sources.digests`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from shared.sources.digests import ALGORITHMS, Check

_HEADERS = {algorithm: f"x-amz-checksum-{algorithm}" for algorithm in ALGORITHMS}
_CHECKSUM = re.compile(r"([A-Za-z0-9+/]+={0,2})(?:-(\d{1,5}))?")
_ETAG = re.compile(r'(?:W/)?("?)([0-9a-f]{32})(?:-([1-9]\d{0,4}))?\1', re.IGNORECASE)
_GOOGLE_HASH = re.compile(r"(crc32c|md5)=([A-Za-z0-9+/]+={0,2})")


def best_check(headers: Mapping[str, str]) -> Check | None:
    """Choose what to check an object against from the headers of the whole object's response.

    A checksum of the whole object is preferred to a composite one, and a real checksum to the ETag.
    The ETag is an MD5 only of objects that were not encrypted with KMS or a customer's key (AWS S3
    API reference, "Object"), and on other stores it may be anything: see `Check.decisive`. Stores
    and proxies spell it in upper case, without quotes, or as a weak one.

    Args:
        headers: of a `GetObject` without a range, names in lower case.

    Returns:
        The check, or None where the headers hold none.
    """
    checks = [
        check
        for algorithm, name in _HEADERS.items()
        if name in headers and (check := _header_check(algorithm, headers)) is not None
    ]
    if "x-goog-hash" in headers:
        checks += _google_checks(headers["x-goog-hash"])
    etag = _etag_check(headers)
    if etag is not None:
        checks.append(etag)
    return min(checks, key=lambda c: (bool(c.parts), not c.decisive)) if checks else None


def _google_checks(hashes: str) -> list[Check]:
    """Read `x-goog-hash`, which is of what is stored (Cloud Storage XML API, "HTTP headers")."""
    checks = []
    for algorithm, text in _GOOGLE_HASH.findall(hashes):
        check = _header_check(algorithm, {_HEADERS[algorithm]: text})
        checks += [check] if check is not None else []
    return checks


def _header_check(algorithm: str, headers: Mapping[str, str]) -> Check | None:
    match = _CHECKSUM.fullmatch(headers[_HEADERS[algorithm]])
    if match is None:
        return None
    try:
        value = base64.b64decode(match[1], validate=True)
    except binascii.Error:
        return None
    if len(value) != len(ALGORITHMS[algorithm]().digest()):
        return None
    parts = int(match[2] or 0)
    if not parts and headers.get("x-amz-checksum-type") == "COMPOSITE":
        return None  # the number of parts is missing
    return Check(algorithm, value.hex(), parts)


def _etag_check(headers: Mapping[str, str]) -> Check | None:
    if headers.get("x-amz-server-side-encryption", "").startswith("aws:kms") or (
        "x-amz-server-side-encryption-customer-algorithm" in headers
    ):
        return None
    match = _ETAG.fullmatch(headers.get("etag", "").strip())
    if match is None:
        return None
    return Check("md5", match[2].lower(), int(match[3] or 0), decisive=False)
