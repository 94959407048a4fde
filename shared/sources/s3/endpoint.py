"""The address of the S3 that the settings name, found without boto3: for the probe alone."""

from __future__ import annotations

from shared.config.settings import Settings

LOCALSTACK_PORT = 4566
"""LocalStack's own port, where its host is given without one."""


def endpoint_url(settings: Settings) -> str | None:
    """Return the URL of the server that the bucket is on, None where no bucket is set.

    =======================================  ==========================================
    settings                                 URL
    =======================================  ==========================================
    AWS_ENDPOINT_URL_S3                      the same
    LOCALSTACK_HOST=host                     http://host:4566
    bucket alone, region eu-west-1           https://s3.eu-west-1.amazonaws.com
    bucket alone, region cn-north-1          https://s3.cn-north-1.amazonaws.com.cn
    bucket alone, no region                  https://s3.amazonaws.com
    no bucket (the admin on Lambda)          None
    =======================================  ==========================================
    """
    if settings.s3_endpoint:
        return settings.s3_endpoint
    if settings.bucket is None:
        return None
    if host := settings.localstack_host:
        return f"http://{host}" if ":" in host else f"http://{host}:{LOCALSTACK_PORT}"
    region = settings.s3_region
    suffix = ".cn" if region and region.startswith("cn-") else ""
    return f"https://s3.{region + '.' if region else ''}amazonaws.com{suffix}"
