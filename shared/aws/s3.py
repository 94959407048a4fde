"""S3 through boto3: what AWS itself defines about a bucket.

boto3 resolves credentials (environment, files, container, instance, with refresh), endpoint
(partition, virtual host or path, access points) and region. The bytes of objects go another way,
see `shared.sources.s3`. boto3 is imported at the first call and not with this module, because it
alone takes longer to import than the rest of a function. Its errors end here, as those of the
service.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from shared.config.settings import Settings
from shared.errors import SettingError, SourceUnavailable
from shared.proxies import is_this_machine, proxy_for

DEFAULT_REGION = "us-east-1"

CONNECT_SECONDS = 5
READ_SECONDS = 10
ATTEMPTS = 2
"""Of a request to S3. It only looks up the sizes of parts: a slow answer is worth a wait, for
without it the content is verified by its size alone."""

_PROBE_KEY = "k"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of this moment."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        """Return the class's name alone: the rest is secret."""
        return "Credentials()"


def s3_client(settings: Settings, region: str | None = None) -> Any:
    """Return boto3's S3 client for the endpoint and the credentials that the settings name.

    Without keys it uses boto3's usual chain. LocalStack is used through its own session where
    `LOCALSTACK_HOST` is set and no endpoint is. A server on this machine whose keys are set, as
    the embedded S3's always are, has nothing to do with the user's own AWS profiles: neither the
    files of `~/.aws` nor the SDK's variables count there.

    Args:
        settings: the `AWS_S3_*` ones, the endpoint and LocalStack's host.
        region: instead of the one in the settings.

    Raises:
        SourceUnavailable: boto3 refuses the settings.
    """
    region = region or settings.s3_region
    keys: dict[str, str] = {}
    if settings.s3_access_key_id and settings.s3_secret_access_key:
        keys = {
            "aws_access_key_id": settings.s3_access_key_id,
            "aws_secret_access_key": settings.s3_secret_access_key,
        }
    own = settings.s3_endpoint is not None and is_this_machine(
        urlsplit(settings.s3_endpoint).hostname or ""
    )
    if own and keys:
        # Without its default a region would come from the user's environment.
        return _client(_isolated_session(), settings, keys, region or DEFAULT_REGION, {})
    client = _client(None, settings, keys, region, {})
    proxy = proxy_for(client.meta.endpoint_url)
    # The endpoint is boto3's to find, and only then it is known whether it is behind a proxy.
    return _client(None, settings, keys, region, _proxies(proxy)) if proxy else client


def _proxies(proxy: str) -> dict[str, str]:
    return {"http": proxy, "https": proxy}


def _isolated_session() -> Any:
    """Return botocore's session without the user's files and variables, but for AWS_CA_BUNDLE."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
    from botocore.session import Session

    nowhere = {"config_file": os.devnull, "credentials_file": os.devnull}
    variables = {
        name: (None, variable if name == "ca_bundle" else None, nowhere.get(name, default), convert)
        for name, (_, variable, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    return Session(session_vars=variables)


def _client(
    botocore_session: Any,
    settings: Settings,
    keys: Mapping[str, str],
    region: str | None,
    proxies: Mapping[str, str],
) -> Any:
    from botocore.config import Config

    localstack = settings.localstack_host if not settings.s3_endpoint else None
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if settings.s3_endpoint or localstack else "auto"},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS},
        proxies=dict(proxies),  # given even if empty: boto3 would look for some by itself
    )
    with _refused_settings():
        if localstack:
            from localstack_client.session import Session as LocalStackSession

            local = LocalStackSession(localstack_host=localstack, region_name=region, **keys)
            return local.client("s3", config=config)
        from boto3 import Session

        session = Session(region_name=region, botocore_session=botocore_session, **keys)
        return session.client(
            "s3",
            endpoint_url=settings.s3_endpoint,
            region_name=region or session.region_name or DEFAULT_REGION,
            config=config,
        )


def check_s3_settings(settings: Settings) -> None:
    """Have boto3 read its configuration, without a request and without looking for keys.

    Raises:
        SettingError: it refuses something, such as a profile that does not exist.
    """
    try:
        client = _client(None, settings, _PLACEHOLDERS, settings.s3_region, {})
        with _refused_settings():
            _find_base_url(client, settings.bucket or "bucket")
    except SourceUnavailable as error:
        raise SettingError(f"S3: {error.about}") from error


_PLACEHOLDERS = {"aws_access_key_id": "placeholder", "aws_secret_access_key": "placeholder"}
"""With keys boto3 asks neither files nor the machine's metadata service, which may take long."""


class S3Bucket:
    """What boto3 makes of the settings of one bucket.

    Args:
        settings: see `s3_client`.
        bucket: its name.
        region: instead of the one in the settings.

    Attributes:
        base_url: the URL of every object, without "/" and its key.
        region: that requests are signed for.
        proxy: the URL of the proxy that requests go through, empty where they go directly.
        trust: which certificates are trusted: True for those that the system trusts, the path of
            a file of certificates (`AWS_CA_BUNDLE`), or False for any.

    Raises:
        SourceUnavailable: endpoint or credentials cannot be determined.
    """

    def __init__(self, settings: Settings, bucket: str, region: str | None = None) -> None:
        self._client = s3_client(settings, region)
        self._bucket = bucket
        # boto3 has no public name for either; AWS_CA_BUNDLE and its like end up in the latter.
        self._credentials = self._client._request_signer._credentials  # noqa: SLF001 - see above
        self.trust: bool | str = self._client._endpoint.http_session._verify  # noqa: SLF001 - above
        if self._credentials is None:
            raise SourceUnavailable(
                "no AWS credentials were found; set AWS_S3_ACCESS_KEY_ID and "
                "AWS_S3_SECRET_ACCESS_KEY, or give the worker a role"
            )
        self.region: str = self._client.meta.region_name or DEFAULT_REGION
        with _refused_settings():
            self.base_url = _find_base_url(self._client, bucket)
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
            SourceUnavailable: the server does not tell.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=key, PartNumber=number)
        except (BotoCoreError, ClientError) as error:
            raise SourceUnavailable("the part sizes are not known") from error
        return int(answer["ContentLength"]), int(answer.get("PartsCount", 0))


def _find_base_url(client: Any, bucket: str) -> str:
    """Return what boto3 puts before "/" and a key, by a request that it never sends."""
    from botocore.awsrequest import AWSResponse

    empty = SimpleNamespace(stream=lambda: iter(()))
    urls: list[str] = []

    def answer(request: Any, **_: Any) -> Any:
        urls.append(request.url)
        return AWSResponse(request.url, 200, {}, empty)

    events = client.meta.events
    events.register("before-send.s3.HeadObject", answer, unique_id=_PROBE_KEY)
    client.head_object(Bucket=bucket, Key=_PROBE_KEY)
    events.unregister("before-send.s3.HeadObject", unique_id=_PROBE_KEY)
    return urls[0].removesuffix(f"/{_PROBE_KEY}")


@contextmanager
def _refused_settings() -> Iterator[None]:
    """Translate what boto3 raises for settings that it cannot work with."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, ValueError) as error:
        raise SourceUnavailable(f"boto3 refuses the settings, {error}") from error
