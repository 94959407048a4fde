"""Where the objects of a bucket are, and what their requests are signed with."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from urllib.parse import quote

from shared.aws.s3 import Credentials, S3Bucket
from shared.config.settings import Settings, needed


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """One object, and how requests for it are signed (AWS Signature Version 4, service S3).

    Attributes:
        url: of the object.
        region: that the signature names.
        credentials: of this moment.
        trust: which certificates are trusted, see `S3Bucket.trust`.
        proxy: the URL of the proxy that they go through, empty where they go directly.
    """

    url: str
    region: str
    credentials: Credentials
    trust: bool | str = True
    proxy: str = ""


class Location:
    """One bucket on one endpoint; its methods may be called from any thread.

    Args:
        settings: `bucket` must be set; the others as they are.

    Raises:
        SettingError: the bucket is not set, or one key is without the other: boto3's usual chain
            would silently take its place.
    """

    def __init__(self, settings: Settings) -> None:
        self._name = needed(settings.bucket, "AWS_S3_BUCKET_NAME")
        if settings.s3_access_key_id:
            needed(settings.s3_secret_access_key, "AWS_S3_SECRET_ACCESS_KEY")
        elif settings.s3_secret_access_key:
            needed(settings.s3_access_key_id, "AWS_S3_ACCESS_KEY_ID")
        self._settings = settings
        self._lock = threading.Lock()
        self._bucket: S3Bucket | None = None

    def signed_url(self, key: str) -> SignedUrl:
        """Return an object's URL with the credentials of this moment; may block.

        Every byte of the key but RFC 3986's unreserved ones and "/" is percent-encoded: SigV4
        for S3 signs this very path (AWS, "Create a signed AWS API request", step 1).

        Raises:
            SourceUnavailable: endpoint or credentials cannot be determined.
        """
        bucket = self._resolved()
        url = f"{bucket.base_url}/{quote(key, safe='/~')}"
        return SignedUrl(url, bucket.region, bucket.credentials(), bucket.trust, bucket.proxy)

    def move(self, region: str) -> None:
        """Switch to the region that the server names as the bucket's; may block.

        Raises:
            SourceUnavailable: boto3 knows no such region.
        """
        with self._lock:
            if self._bucket is None or self._bucket.region != region:
                self._bucket = S3Bucket(self._settings, self._name, region)

    def part_size(self, key: str, number: int) -> tuple[int, int]:
        """See `S3Bucket.part_size`; may block."""
        return self._resolved().part_size(key, number)

    def _resolved(self) -> S3Bucket:
        with self._lock:
            if self._bucket is None:
                self._bucket = S3Bucket(self._settings, self._name)
            return self._bucket
