"""A bucket of the local run's own S3, which needs no boto3.

For a server at 127.0.0.1 whose keys are settings, boto3 looks at nothing else: what it says of a
bucket there is known before, without its 37 MB and a third of a second in every process that
copies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.aws.credentials import Credentials
from shared.aws.s3 import AUTO, DEFAULT_REGION
from shared.config.settings import Settings

_ENDPOINT = re.compile(r"(http://127\.0\.0\.1:[0-9]+)/?")
_BUCKET = re.compile(r"[a-z0-9-]+")
"""Other names, such as ARNs and the endings in `UNSUPPORTED`, are boto3's to interpret."""


@dataclass(frozen=True, slots=True)
class LocalBucket:
    """One bucket of such a server; for the attributes see `S3Bucket`."""

    base_url: str
    region: str
    payer: str
    keys: Credentials
    style_chosen = True
    proxy = ""
    trust: bool | str = True  # nothing to trust: it is not HTTPS

    def credentials(self) -> Credentials:
        """Return the keys of the settings."""
        return self.keys


def local_bucket(settings: Settings, bucket: str) -> LocalBucket | None:
    """Return the bucket if its server is one of these, otherwise None.

    Args:
        settings: the `AWS_S3_*` ones and the endpoint.
        bucket: its name.
    """
    endpoint = _ENDPOINT.fullmatch(settings.s3_endpoint or "")
    access_key, secret_key = settings.s3_access_key_id, settings.s3_secret_access_key
    if endpoint is None or not access_key or not secret_key:
        return None
    if settings.s3_addressing not in {AUTO, "path"} or not _BUCKET.fullmatch(bucket):
        return None
    return LocalBucket(
        f"{endpoint[1]}/{bucket}",
        settings.s3_region or DEFAULT_REGION,
        settings.s3_request_payer or "",
        Credentials(access_key, secret_key, None),
    )
