"""The signature of a request (AWS Signature Version 4, service S3), where libcurl's would be wrong.

libcurl percent-encodes the access key in the Authorization header, so that no server finds one like
OpenStack's `tenant:user` or with letters beyond ASCII. Queries, too, are signed here. libcurl signs
nothing where that header is set.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from functools import lru_cache
from urllib.parse import urlsplit

from shared.sources.s3.location import SignedUrl

ALGORITHM = "AWS4-HMAC-SHA256"
DEFAULT_PORTS = {"http": 80, "https": 443}
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
"""Of the body of a GET."""


@lru_cache(maxsize=16)
def libcurl_can_sign(access_key: str) -> bool:
    """Return whether libcurl leaves an access key as it is."""
    return re.fullmatch(r"[A-Za-z0-9._~-]*", access_key) is not None


def sign(target: SignedUrl, headers: list[str], seconds: float) -> list[str]:
    """Return the headers of a GET, signed: `host` and all that begin with `x-amz-`.

    Args:
        target: the object; its path is percent-encoded already, its query sorted as well.
        headers: lines of the other headers.
        seconds: the time, since the epoch.
    """
    url = urlsplit(target.url)
    # As libcurl and every server's own library write it: without the scheme's port.
    host = url.netloc.removesuffix(f":{DEFAULT_PORTS[url.scheme]}")
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
    lines = [
        f"Host: {host}",
        *headers,
        f"x-amz-content-sha256: {EMPTY_SHA256}",
        f"x-amz-date: {now}",
    ]
    fields = {name.lower(): value.strip() for name, _, value in (n.partition(":") for n in lines)}
    names = sorted(name for name in fields if name == "host" or name.startswith("x-amz-"))
    signed = ";".join(names)
    canonical = "\n".join(
        ["GET", url.path, url.query, *(f"{name}:{fields[name]}" for name in names), "", signed]
    )
    canonical += f"\n{EMPTY_SHA256}"
    scope = f"{now[:8]}/{target.region}/s3/aws4_request"
    text = "\n".join([ALGORITHM, now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{target.credentials.secret_key}".encode()
    for step in scope.split("/"):
        key = _hmac(key, step)
    proof = f"SignedHeaders={signed}, Signature={_hmac(key, text).hex()}"
    credential = f"{target.credentials.access_key}/{scope}"
    return [*lines, f"Authorization: {ALGORITHM} Credential={credential}, {proof}"]


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
