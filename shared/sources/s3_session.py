"""Where a bucket is and how it is reached: the only module that knows boto3.

boto3 resolves what AWS itself defines: credentials (environment, files, container, instance, with
refresh), endpoint (partition, virtual host or path, access points) and region. The bytes go
another way, see `shared.sources.transport`. boto3 is imported at the first object and not with
this module, because it alone takes longer to import than the rest of the worker.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shared.errors import SourceUnavailable
from shared.settings import needed
from shared.sources.aim import Signing

if TYPE_CHECKING:
    from shared.settings import Settings

_PROBE = "k"
DEFAULT_REGION = "us-east-1"


def client(settings: Settings, region: str | None = None) -> Any:
    """Gives boto3's S3 client for the endpoint and the credentials that the settings name.

    Without keys it is boto3's usual chain. LocalStack is reached through its own session where
    `LOCALSTACK_HOST` is set and no endpoint is.

    Args:
        settings: the `AWS_S3_*` ones, the endpoint and LocalStack's host.
        region: instead of the one in the settings.

    Raises:
        botocore.exceptions.BotoCoreError, ValueError: boto3 refuses them.
    """
    from botocore.config import Config  # noqa: PLC0415

    region = region or settings.s3_region
    keys: dict[str, str] = {}
    if settings.s3_access_key_id and settings.s3_secret_access_key:
        keys = {
            "aws_access_key_id": settings.s3_access_key_id,
            "aws_secret_access_key": settings.s3_secret_access_key,
        }
    localstack = settings.localstack_host if not settings.s3_endpoint else None
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if settings.s3_endpoint or localstack else "auto"},
        connect_timeout=10,
        read_timeout=20,
    )
    if localstack:
        from localstack_client.session import Session as LocalStackSession  # noqa: PLC0415

        local = LocalStackSession(localstack_host=localstack, region_name=region, **keys)
        return local.client("s3", config=config)
    from boto3 import Session  # noqa: PLC0415

    session = Session(region_name=region, **keys)
    return session.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=region or session.region_name or DEFAULT_REGION,
        config=config,
    )


class Location:
    """One bucket on one endpoint.

    Args:
        settings: `bucket` must be set; the others as they are.
    """

    def __init__(self, settings: Settings) -> None:
        self.bucket = needed(settings.bucket, "AWS_S3_BUCKET_NAME")
        self._settings = settings
        self._lock = threading.Lock()
        self._region: str | None = None
        self._client: Any = None
        self._credentials: Any = None
        self._base = ""

    def url(self, key: str) -> str:
        """Gives the object's URL, every byte but RFC 3986's unreserved ones and "/" encoded.

        SigV4 for S3 signs this very path (AWS, "Create a signed AWS API request", step 1).

        Raises:
            SourceUnavailable: endpoint or credentials cannot be determined.
        """
        self._open()
        return f"{self._base}/{quote(key, safe='/~')}"

    def signing(self) -> Signing:
        """Gives the credentials of this moment, refreshed where they are about to expire.

        Raises:
            SourceUnavailable: there are none, or they cannot be refreshed.
        """
        self._open()
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        try:
            frozen = self._credentials.get_frozen_credentials()
        except (BotoCoreError, RuntimeError) as error:
            raise SourceUnavailable("the AWS credentials could not be refreshed") from error
        region = self._region or self._client.meta.region_name or DEFAULT_REGION
        return Signing(region, frozen.access_key, frozen.secret_key, frozen.token)

    def move(self, region: str) -> bool:
        """Takes note of the region that the server says the bucket is in; False if it knew."""
        with self._lock:
            if region == self._region or (
                self._client is not None and region == self._client.meta.region_name
            ):
                return False
            self._region, self._client, self._base = region, None, ""
            return True

    def part_size(self, key: str, etag: str, number: int) -> tuple[int, int]:
        """Asks for the size of one part of a multipart object, and for how many it has.

        Args:
            key: the object's key.
            etag: the version that is asked about.
            number: of the part, from 1.

        Returns:
            Bytes of the part, and the number of parts (0 where the server does not say).

        Raises:
            SourceUnavailable: the server does not answer that.
        """
        self._open()
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            answer = self._client.head_object(
                Bucket=self.bucket, Key=key, PartNumber=number, IfMatch=f'"{etag}"'
            )
        except (BotoCoreError, ClientError) as error:
            raise SourceUnavailable("the part sizes are not known") from error
        return int(answer["ContentLength"]), int(answer.get("PartsCount", 0))

    def _open(self) -> None:
        if self._client is not None:
            return
        with self._lock:
            if not self._base:
                self._resolve()

    def _resolve(self) -> None:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        try:
            made = client(self._settings, self._region)
            credentials = made._request_signer._credentials  # noqa: SLF001
            if credentials is None:
                raise SourceUnavailable(
                    "no AWS credentials were found; set AWS_S3_ACCESS_KEY_ID and "
                    "AWS_S3_SECRET_ACCESS_KEY, or give the worker a role"
                )
            probe = made.generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": _PROBE}
            )
        except (BotoCoreError, ValueError) as error:
            raise SourceUnavailable(f"boto3 refuses the settings, {error}") from error
        self._base = probe.partition("?")[0].removesuffix(f"/{_PROBE}")
        self._credentials, self._client = credentials, made
