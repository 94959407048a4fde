from __future__ import annotations

import pytest

from shared.config.settings import Settings
from shared.sources.s3.endpoint import endpoint_url


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_ENDPOINT_URL_S3": "http://s3:9"}, "http://s3:9"),
        ({"AWS_S3_BUCKET_NAME": "bucket", "LOCALSTACK_HOST": "ls"}, "http://ls:4566"),
        ({"AWS_S3_BUCKET_NAME": "bucket", "LOCALSTACK_HOST": "ls:1"}, "http://ls:1"),
        (
            {"AWS_S3_BUCKET_NAME": "bucket", "AWS_S3_REGION_NAME": "eu-west-1"},
            "https://s3.eu-west-1.amazonaws.com",
        ),
        (
            {"AWS_S3_BUCKET_NAME": "bucket", "AWS_S3_REGION_NAME": "cn-north-1"},
            "https://s3.cn-north-1.amazonaws.com.cn",
        ),
        ({"AWS_S3_BUCKET_NAME": "bucket"}, "https://s3.amazonaws.com"),
        ({}, None),
    ],
)
def test_the_settings_name_the_server_of_the_bucket(
    variables: dict[str, str], expected: str | None
) -> None:
    assert endpoint_url(Settings.from_mapping(variables)) == expected
