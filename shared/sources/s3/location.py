"""Where a bucket is and how it is reached: the only module that knows boto3.

boto3 resolves what AWS itself defines: credentials (environment, files, container, instance, with
refresh), endpoint (partition, virtual host or path, access points) and region. The bytes go
another way, see `shared.sources.s3.transport`. boto3 is imported at the first object and not with
this module, because it alone takes longer to import than the rest of the worker.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from shared.config.settings import Settings, needed
from shared.errors import SourceUnavailable
from shared.sources.s3.aim import Aim, Signing

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
        connect_timeout=5,
        read_timeout=10,
        retries={"total_max_attempts": 2},
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


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What boto3 made of the settings."""

    client: Any
    credentials: Any
    base: str  # of every object's URL
    region: str
    trust: bool | str  # see `Aim`


def _base_url(made: Any, bucket: str) -> str:
    """Gives what boto3 would put before "/" and a key, by a request that it never sends."""
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415

    empty = SimpleNamespace(stream=lambda: iter(()))
    urls: list[str] = []

    def answer(request: Any, **_: Any) -> Any:
        urls.append(request.url)
        return AWSResponse(request.url, 200, {}, empty)

    made.meta.events.register("before-send.s3.HeadObject", answer, unique_id=_PROBE)
    made.head_object(Bucket=bucket, Key=_PROBE)
    made.meta.events.unregister("before-send.s3.HeadObject", unique_id=_PROBE)
    return urls[0].removesuffix(f"/{_PROBE}")


class Location:
    """One bucket on one endpoint.

    Args:
        settings: `bucket` must be set; the others as they are.

    Raises:
        SettingError: the bucket is not set, or one key without the other: the usual chain would
            take its place without a word.
    """

    def __init__(self, settings: Settings) -> None:
        self._bucket = needed(settings.bucket, "AWS_S3_BUCKET_NAME")
        if settings.s3_access_key_id:
            needed(settings.s3_secret_access_key, "AWS_S3_SECRET_ACCESS_KEY")
        elif settings.s3_secret_access_key:
            needed(settings.s3_access_key_id, "AWS_S3_ACCESS_KEY_ID")
        self._settings = settings
        self._lock = threading.Lock()
        self._resolved: _Resolved | None = None

    def aim(self, key: str) -> Aim:
        """Gives an object's URL and the signing of this moment.

        Every byte of the key but RFC 3986's unreserved ones and "/" is percent-encoded: SigV4
        for S3 signs this very path (AWS, "Create a signed AWS API request", step 1). Credentials
        are refreshed where they are about to expire.

        Raises:
            SourceUnavailable: endpoint or credentials cannot be determined.
        """
        here = self._open()
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        try:
            keys = here.credentials.get_frozen_credentials()
        except (BotoCoreError, RuntimeError) as error:
            raise SourceUnavailable("the AWS credentials could not be refreshed") from error
        signing = Signing(here.region, keys.access_key, keys.secret_key, keys.token)
        return Aim(f"{here.base}/{quote(key, safe='/~')}", signing, here.trust)

    def move(self, region: str) -> None:
        """Goes to the region that the server says the bucket is in.

        Raises:
            SourceUnavailable: boto3 knows no such region.
        """
        with self._lock:
            if self._resolved is None or self._resolved.region != region:
                self._resolved = self._resolve(region)

    def part_size(self, key: str, number: int) -> tuple[int, int]:
        """Asks for the size of one part of a multipart object, and for how many it has.

        The version is not pinned: servers differ in which ETag they compare here, and sizes of
        another version can only make the digests differ, never agree.

        Args:
            key: the object's key.
            number: of the part, from 1.

        Returns:
            Bytes of the part, and the number of parts (0 where the server does not say).

        Raises:
            SourceUnavailable: the server does not answer that.
        """
        here = self._open()
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            answer = here.client.head_object(Bucket=self._bucket, Key=key, PartNumber=number)
        except (BotoCoreError, ClientError) as error:
            raise SourceUnavailable("the part sizes are not known") from error
        return int(answer["ContentLength"]), int(answer.get("PartsCount", 0))

    def _open(self) -> _Resolved:
        with self._lock:
            if self._resolved is None:
                self._resolved = self._resolve(None)
            return self._resolved

    def _resolve(self, region: str | None) -> _Resolved:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        try:
            made = client(self._settings, region)
            # No public way leads to either; the latter is what AWS_CA_BUNDLE and its like come to.
            credentials = made._request_signer._credentials  # noqa: SLF001
            trust = made._endpoint.http_session._verify  # noqa: SLF001
            if credentials is None:
                raise SourceUnavailable(
                    "no AWS credentials were found; set AWS_S3_ACCESS_KEY_ID and "
                    "AWS_S3_SECRET_ACCESS_KEY, or give the worker a role"
                )
            base = _base_url(made, self._bucket)
        except (BotoCoreError, ValueError) as error:
            raise SourceUnavailable(f"boto3 refuses the settings, {error}") from error
        return _Resolved(made, credentials, base, made.meta.region_name or DEFAULT_REGION, trust)
