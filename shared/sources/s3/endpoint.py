"""The address of the S3 that the settings name: for the probe alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from shared.aws.s3 import server_url
from shared.config.settings import Settings

LOCALSTACK_PORT = 4566
"""LocalStack's own port, where its host is given without one."""


def endpoint(settings: Settings) -> Callable[[], str] | None:
    """Return what finds the URL of the server that the bucket is on, None where no bucket is set.

    =================================  =============================================
    settings                           URL
    =================================  =============================================
    AWS_ENDPOINT_URL_S3                the same
    LOCALSTACK_HOST=host               http://host:4566
    bucket alone                       what boto3 finds: region, partition, FIPS,
                                       dual-stack, accelerate, AWS_ENDPOINT_URL …
    no bucket (the admin on Lambda)    None
    =================================  =============================================

    Only the third needs boto3, when it is called first. It raises `SourceUnavailable` where boto3
    refuses the configuration.
    """
    if (url := settings.s3_endpoint) is not None:
        return lambda: url
    if settings.bucket is None:
        return None
    if host := settings.localstack_host:
        place = host if ":" in host else f"{host}:{LOCALSTACK_PORT}"
        return lambda: f"http://{place}"
    return cache(lambda: server_url(settings))
