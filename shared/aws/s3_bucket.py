"""One bucket as boto3 sees it: its URL, what requests are signed with, the sizes of parts."""

from __future__ import annotations

from shared.aws.credentials import Credentials
from shared.aws.s3 import find_address, refused_settings, s3_client
from shared.config.settings import Settings
from shared.errors import AccessRefused, SourceUnavailable
from shared.proxies import proxy_for

SERVICE = "s3"
"""The only service that requests are signed for here. Directory buckets, Object Lambda and Outposts
are signed for others, multi-region access points with SigV4a: libcurl signs neither as S3 does."""

UNSUPPORTED = ("--x-s3", ".mrap")
"""Ends of bucket names and ARNs that need another signature, whatever the client is set to."""

REFUSED = frozenset({400, 403})
"""Statuses of a HEAD, whose response has no code, that may mean that the credentials are old."""


class S3Bucket:
    """What boto3 makes of the settings of one bucket.

    Args:
        settings: see `s3_client`.
        bucket: its name, or the ARN of an access point.
        region: instead of the one in the settings.

    Attributes:
        base_url: the URL of every object, without "/" and its key.
        region: that requests are signed for; an ARN may name another than the settings.
        style_chosen: whether the settings or the user's configuration choose between path style
            and virtual-hosted style.
        payer: who pays for requests, empty for the bucket's owner.
        proxy: the URL of the proxy that requests go through, empty where they go directly.
        trust: which certificates are trusted: True for those that the system trusts, the path of
            a file of certificates (`AWS_CA_BUNDLE`), or False for any.

    Raises:
        SourceUnavailable: endpoint or credentials cannot be determined.
    """

    def __init__(self, settings: Settings, bucket: str, region: str | None = None) -> None:
        if bucket.endswith(UNSUPPORTED):
            raise SourceUnavailable(
                "directory buckets and multi-region access points are not supported"
            )
        self._client = s3_client(settings, region)
        self._bucket = bucket
        self.payer = settings.s3_request_payer or ""
        # boto3 has no public name for either; AWS_CA_BUNDLE and its like end up in the latter.
        self._credentials = self._client._request_signer._credentials  # noqa: SLF001 - see above
        self.trust: bool | str = self._client._endpoint.http_session._verify  # noqa: SLF001 - above
        if self._credentials is None:
            raise SourceUnavailable(
                "no AWS credentials were found; set AWS_S3_ACCESS_KEY_ID and "
                "AWS_S3_SECRET_ACCESS_KEY, or give the worker a role"
            )
        style = (self._client.meta.config.s3 or {}).get("addressing_style")
        self.style_chosen = style in {"path", "virtual"}
        with refused_settings():
            address = find_address(self._client, bucket)
        if address.service != SERVICE:
            raise SourceUnavailable(f"requests signed for {address.service} are not supported")
        self.base_url, self.region = address.base_url, address.region
        self.proxy = proxy_for(self.base_url) or ""

    def credentials(self) -> Credentials:
        """Return the credentials, refreshed where they are about to expire.

        Raises:
            SourceUnavailable: they could not be refreshed.
        """
        from botocore.exceptions import BotoCoreError

        try:
            keys = self._credentials.get_frozen_credentials()
        except (BotoCoreError, RuntimeError) as error:
            raise SourceUnavailable("the AWS credentials could not be refreshed") from error
        return Credentials(keys.access_key, keys.secret_key, keys.token)

    def part_size(self, key: str, number: int) -> tuple[int, int]:
        """Ask for the size of one part of a multipart object, and for how many it has.

        The version is not pinned: servers differ in which ETag they compare here, and sizes of
        another version can only make the digests differ, never agree.

        Args:
            key: the object's key.
            number: of the part, from 1.

        Returns:
            Bytes of the part, and the number of parts (0 where the server does not tell).

        Raises:
            AccessRefused: the server refuses the request; the credentials may be old.
            SourceUnavailable: the server does not tell.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        payer = {"RequestPayer": self.payer} if self.payer else {}
        try:
            answer = self._client.head_object(
                Bucket=self._bucket, Key=key, PartNumber=number, **payer
            )
        # ValueError: botocore encodes the login of a proxy in ASCII.
        except (BotoCoreError, ClientError, ValueError) as error:
            response = getattr(error, "response", {})
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status in REFUSED:
                raise AccessRefused("the part sizes are not told") from error
            raise SourceUnavailable("the part sizes are not known") from error
        if "ContentLength" not in answer:
            raise SourceUnavailable("the part sizes are not told")
        return int(answer["ContentLength"]), int(answer.get("PartsCount", 0))
