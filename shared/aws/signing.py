"""Signature Version 4 with the standard library alone.

boto3 would sign, too, but its import takes longer than all others of a function together, see
docs/decisions/0039-aws-without-boto3.md. The rules are those of AWS, "Create a signed AWS API
request"; the tests compare every signature with botocore's.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from shared.aws.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"


def signed_headers(
    credentials: Credentials,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    service: str,
    region: str,
    now: datetime,
) -> dict[str, str]:
    """Return the headers of a POST, signed.

    Args:
        credentials: to sign with.
        url: of the request.
        headers: of the request, names in lower case; `host` is added.
        body: of the request.
        service: the name that AWS signs the service's requests for.
        region: that the request goes to.
        now: the time, in UTC.
    """
    stamp = _stamp(now)
    signed = {**headers, "host": urlsplit(url).netloc, "x-amz-date": stamp}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    signature = _signature(
        credentials.secret_key,
        _canonical("POST", url, "", signed, hashlib.sha256(body).hexdigest()),
        stamp,
        (region, service),
    )
    scope = _scope(stamp, region, service)
    signed["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={';'.join(sorted(signed))}, Signature={signature}"
    )
    return signed


def presigned_url(
    credentials: Credentials, url: str, seconds: int, *, service: str, region: str, now: datetime
) -> str:
    """Return the URL of a GET that is signed by its query and valid for some time.

    Args:
        credentials: to sign with.
        url: of the request, with its own query.
        seconds: that the signature is valid for.
        service: the name that AWS signs the service's requests for.
        region: that the request goes to.
        now: the time, in UTC.
    """
    stamp = _stamp(now)
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{_scope(stamp, region, service)}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.token:
        query["X-Amz-Security-Token"] = credentials.token
    text = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
    empty = hashlib.sha256(b"").hexdigest()
    canonical = _canonical("GET", url, text, {"host": parts.netloc}, empty)
    signature = _signature(credentials.secret_key, canonical, stamp, (region, service))
    base = f"{parts.scheme}://{parts.netloc}{parts.path or '/'}"
    return f"{base}?{text}&X-Amz-Signature={signature}"


def _canonical(
    method: str, url: str, query: str, headers: Mapping[str, str], body_hash: str
) -> bytes:
    names = sorted(headers)
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    path = urlsplit(url).path or "/"
    text = "\n".join([method, path, query, *lines, "", ";".join(names), body_hash])
    return text.encode()


def _signature(secret_key: str, canonical: bytes, stamp: str, place: tuple[str, str]) -> str:
    key = f"AWS4{secret_key}".encode()
    for part in (stamp[:8], *place, "aws4_request"):
        key = _hmac(key, part)
    scope = _scope(stamp, *place)
    text = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(canonical).hexdigest()])
    return _hmac(key, text).hex()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _scope(stamp: str, region: str, service: str) -> str:
    return f"{stamp[:8]}/{region}/{service}/aws4_request"


def _stamp(now: datetime) -> str:
    return now.strftime("%Y%m%dT%H%M%SZ")
