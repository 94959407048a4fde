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
from string import punctuation
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

from shared.config.settings import Settings
from shared.errors import SettingError, SourceUnavailable
from shared.proxies import is_this_machine, proxy_for

DEFAULT_REGION = "us-east-1"

CONNECT_SECONDS = 5
READ_SECONDS = 10
ATTEMPTS = 2
"""Of a request to S3. It only looks up the sizes of parts: a slow answer is worth a wait, for
without it the content is verified by its size alone."""

AUTO = "auto"
"""Of `S3_ADDRESSING`: as the user's configuration says; without a word of it boto3 takes the path
for an endpoint that is set, and the virtual host for AWS."""

_PROBE_KEY = "k"


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
    # Not "auto" for boto3: that would hide the style that the user's configuration chooses.
    style = settings.s3_addressing if settings.s3_addressing != AUTO else ""
    if localstack and not style:
        style = "path"
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": style} if style else {},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS},
        proxies=dict(proxies),  # given even if empty: boto3 would look for some by itself
    )
    with refused_settings():
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
        server_url(settings)
    except SourceUnavailable as error:
        raise SettingError(f"S3: {error.about}") from error


def server_url(settings: Settings) -> str:
    """Return the URL of the server that boto3 finds for the bucket, without a path.

    Neither a request is sent nor credentials are looked for.

    Raises:
        SourceUnavailable: boto3 refuses the settings.
    """
    client = _client(None, settings, _PLACEHOLDERS, settings.s3_region, {})
    with refused_settings():
        url = urlsplit(find_address(client, settings.bucket or "bucket").base_url)
    return f"{url.scheme}://{url.netloc}"


_PLACEHOLDERS = {"aws_access_key_id": "placeholder", "aws_secret_access_key": "placeholder"}
"""With keys boto3 asks neither files nor the machine's metadata service, which may take long."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where boto3 sends the requests of a bucket, and for what it signs them.

    Attributes:
        base_url: what it puts before "/" and a key.
        region: that the signature names.
        service: that the signature names.
    """

    base_url: str
    region: str
    service: str


def find_address(client: Any, bucket: str) -> Address:
    """Return the address of a bucket, by a request that boto3 builds and signs but never sends."""
    from botocore.awsrequest import AWSResponse

    empty = SimpleNamespace(stream=lambda: iter(()))
    requests: list[Any] = []

    def answer(request: Any, **_: Any) -> Any:
        requests.append(request)
        return AWSResponse(request.url, 200, {}, empty)

    events = client.meta.events
    events.register("before-send.s3.HeadObject", answer, unique_id=_PROBE_KEY)
    try:
        client.head_object(Bucket=bucket, Key=_PROBE_KEY)
    finally:
        events.unregister("before-send.s3.HeadObject", unique_id=_PROBE_KEY)
    url = urlsplit(requests[0].url.removesuffix(f"/{_PROBE_KEY}"))
    # Credential=key/date/region/service/aws4_request (AWS, "Create a signed AWS API request").
    scope = requests[0].headers["Authorization"].decode().partition(",")[0].split("/")
    # libcurl would sign with a login in the URL; boto3 ignores it.
    place = url.netloc.rpartition("@")[2]
    path = quote(url.path, safe=punctuation)  # boto3 leaves a prefix as it was given
    return Address(f"{url.scheme}://{place}{path}", scope[-3], scope[-2])


@contextmanager
def refused_settings() -> Iterator[None]:
    """Translate what boto3 raises for settings that it cannot work with."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except UnicodeError as error:  # its text has a part of the key
        raise SourceUnavailable("the S3 keys or the endpoint are not valid UTF-8") from error
    except (BotoCoreError, ValueError) as error:
        about = " ".join(str(error).split())  # some of its texts have several lines
        raise SourceUnavailable(f"boto3 refuses the settings, {about}") from error
