"""The first request, for an installation that has no object yet: commands to copy. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from shared.http.event import Request
from shared.http.signing import sign

BODY = '{"oeid": "1", "ref_id": "2", "file_name": "photo.jpg", "file_type": "image/jpeg"}'


_SIGNING = '"$(printf %s "$body" | openssl dgst -sha256 -hmac "$SECRET_KEY" -r | cut -c1-64)"'
"""Computes the signature in a shell; docs/deploy.md has three languages."""


def first_request(
    request: Request, *, secure: bool, key: bytes | None, s3_url: str | None, bucket: str | None
) -> Sequence[str]:
    """Return the commands that put an object into the bucket and send its request.

    Args:
        request: the one that asks, for the address by which the service was reached.
        secure: the browser speaks TLS.
        key: that signs requests, where commands may hold a ready signature: on a local run.
        s3_url: the S3 of a local run, None elsewhere.
        bucket: its name.
    """
    host = request.headers.get("host") or "localhost"
    url = quote(f"{'https' if secure else 'http'}://{host}/sync/")
    signature = _SIGNING if key is None else sign(key, BODY.encode())
    put = "aws s3 cp photo.jpg s3://BUCKET/photo.jpg"
    if s3_url and bucket:
        put = f"curl -T photo.jpg {quote(f'{s3_url}/{bucket}/photo.jpg')}"
    headers = f"-H 'Content-Type: application/json' -H 'Authorization: '{signature}"
    return put, f"body='{BODY}'", f'curl -X POST {url} {headers} -d "$body"'
