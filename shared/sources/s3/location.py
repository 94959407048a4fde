"""Where the objects of a bucket are, and what their requests are signed with."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote, urlsplit

from shared.aws.credentials import Credentials
from shared.aws.s3_bucket import S3Bucket
from shared.config import secrets
from shared.config.settings import Settings, needed
from shared.errors import AccessRefused, SettingError, SourceUnavailable
from shared.sources.s3.local_server import LocalBucket, local_bucket

logger = logging.getLogger(__name__)

RENEWAL_SECONDS = 5.0
"""Least time between two looks for newer credentials, for all downloads together: a refusal hits
every object at once, and a look may ask files, a metadata service or Secrets Manager."""


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """One object, and how requests for it are signed (AWS Signature Version 4, service S3).

    Attributes:
        url: of the object.
        region: that the signature names.
        credentials: of this moment.
        trust: which certificates are trusted, see `S3Bucket.trust`.
        proxy: the URL of the proxy that they go through, empty where they go directly.
        headers: of every request.
    """

    url: str
    region: str
    credentials: Credentials
    trust: bool | str = True
    proxy: str = ""
    headers: tuple[str, ...] = ()


_reread_keys = partial(secrets.reread, names=("AWS_S3_ACCESS_KEY_ID", "AWS_S3_SECRET_ACCESS_KEY"))


class Location:
    """One bucket on one endpoint; its methods may be called from any thread.

    Args:
        settings: `bucket` must be set; the others as they are.
        reread: returns the settings with the S3 keys of this moment.
        clock: seconds that only grow.

    Raises:
        SettingError: the bucket is not set, or one key is without the other: boto3's usual chain
            would silently take its place.
    """

    def __init__(
        self,
        settings: Settings,
        reread: Callable[[Settings], Settings] = _reread_keys,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = needed(settings.bucket, "AWS_S3_BUCKET_NAME")
        if settings.s3_access_key_id:
            needed(settings.s3_secret_access_key, "AWS_S3_SECRET_ACCESS_KEY")
        elif settings.s3_secret_access_key:
            needed(settings.s3_access_key_id, "AWS_S3_ACCESS_KEY_ID")
        self._settings = settings
        self._reread, self._clock = reread, clock
        self._lock = threading.Lock()
        self._region: str | None = None  # that a server has named
        self._bucket: S3Bucket | LocalBucket | None = None
        self._renewed_at = -RENEWAL_SECONDS

    def signed_url(self, key: str) -> SignedUrl:
        """Return an object's URL with the credentials of this moment; may block.

        Every byte of the key but RFC 3986's unreserved ones and "/" is percent-encoded: SigV4
        for S3 signs this very path (AWS, "Create a signed AWS API request", step 1).

        Raises:
            SourceUnavailable: endpoint or credentials cannot be determined.
        """
        bucket = self._resolved()
        url = f"{bucket.base_url}/{quote(key, safe='/~')}"
        headers = (f"x-amz-request-payer: {bucket.payer}",) if bucket.payer else ()
        return SignedUrl(
            url, bucket.region, bucket.credentials(), bucket.trust, bucket.proxy, headers
        )

    def listing_url(self, query: str) -> SignedUrl:
        """Return the URL of the bucket with a query, with the credentials of this moment.

        Args:
            query: its parameters sorted and percent-encoded, as SigV4 signs them.

        Raises:
            SourceUnavailable: endpoint or credentials cannot be determined.
        """
        bucket = self._resolved()
        folder = "" if urlsplit(bucket.base_url).path else "/"
        url = f"{bucket.base_url}{folder}?{query}"
        headers = (f"x-amz-request-payer: {bucket.payer}",) if bucket.payer else ()
        return SignedUrl(
            url, bucket.region, bucket.credentials(), bucket.trust, bucket.proxy, headers
        )

    def move(self, region: str) -> bool:
        """Switch to the region that the server names as the bucket's; may block.

        Returns:
            True: a request may succeed there.

        Raises:
            SourceUnavailable: boto3 knows no such region.
        """
        with self._lock:
            if self._bucket is None or self._bucket.region != region:
                self._bucket = S3Bucket(self._settings, self._name, region)
                self._region = region
        return True

    def use_virtual_host(self, refused: SignedUrl) -> bool:
        """Put the bucket's name into the host name, for a server that refuses it in the path.

        Args:
            refused: what the server has refused.

        Returns:
            Whether objects have another URL now. They keep theirs where the settings or the
            user's configuration choose the style, and where the host is an address.

        Raises:
            SourceUnavailable: boto3 refuses the new style.
        """
        bucket = self._resolved()
        with self._lock:
            ours = (f"{bucket.base_url}/", f"{bucket.base_url}?")
            if self._bucket is not bucket or not refused.url.startswith(ours):
                return True  # another download has switched meanwhile
            if bucket.style_chosen:
                return False
            settings = replace(self._settings, s3_addressing="virtual")
            switched = S3Bucket(settings, self._name, self._region)
            if switched.base_url == bucket.base_url:
                return False
            self._settings, self._bucket = settings, switched
        logger.info(
            "the S3 server takes virtual-hosted addresses only", extra={"url": switched.base_url}
        )
        return True

    def renew(self, refused: Credentials) -> bool:
        """Look for newer credentials, after a server has refused these; may block.

        Files, secrets and metadata services are read from scratch. Keys that are plain values of
        the settings cannot change while the process runs.

        Args:
            refused: the credentials of the refused request.

        Returns:
            Whether there are others now.

        Raises:
            SourceUnavailable: those of now could not be refreshed.
        """
        with self._lock:
            if self._bucket is not None and self._bucket.credentials() != refused:
                return True  # another download has renewed them meanwhile
            now = self._clock()
            if now - self._renewed_at < RENEWAL_SECONDS:
                return False
            self._renewed_at = now
            try:
                settings = self._reread(self._settings)
                if settings == self._settings and settings.s3_access_key_id:
                    logger.warning(
                        "S3 refuses the keys of the settings, which only a restart reads"
                    )
                    return False
                renewed = S3Bucket(settings, self._name, self._region)
                differ = renewed.credentials() != refused
            except (SettingError, SourceUnavailable) as error:
                logger.warning("no newer S3 credentials", extra={"reason": str(error)})
                return False
            if differ:
                self._settings, self._bucket = settings, renewed
        logger.warning(
            "S3 refuses the credentials",
            extra={"outcome": "renewed" if differ else "no newer ones"},
        )
        return differ

    def part_size(self, key: str, number: int) -> tuple[int, int]:
        """See `S3Bucket.part_size`; may block, and looks for newer credentials where refused.

        Raises:
            SourceUnavailable: the server does not tell.
        """
        bucket = self._of_boto3()
        used = bucket.credentials()
        try:
            return bucket.part_size(key, number)
        except AccessRefused as refusal:
            try:
                if self.renew(used):
                    return self._of_boto3().part_size(key, number)
            except AccessRefused:
                pass
            raise SourceUnavailable(refusal.about) from refusal

    def _resolved(self) -> S3Bucket | LocalBucket:
        with self._lock:
            if self._bucket is None:
                local = local_bucket(self._settings, self._name)
                self._bucket = local or S3Bucket(self._settings, self._name)
            return self._bucket

    def _of_boto3(self) -> S3Bucket:
        with self._lock:
            if not isinstance(self._bucket, S3Bucket):
                self._bucket = S3Bucket(self._settings, self._name)
            return self._bucket
