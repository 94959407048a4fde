from __future__ import annotations

import subprocess
import sys

import pytest

from shared.aws.s3_bucket import S3Bucket
from shared.config.settings import Settings
from shared.sources.s3.local_server import local_bucket
from tests.helpers.paths import ROOT

KEYS = {"AWS_S3_ACCESS_KEY_ID": "local", "AWS_S3_SECRET_ACCESS_KEY": "hushhush"}
ENDPOINT = "http://127.0.0.1:9000"


def settings(**given: str) -> Settings:
    return Settings.from_mapping({"AWS_ENDPOINT_URL_S3": ENDPOINT, **KEYS, **given})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"AWS_ENDPOINT_URL_S3": f"{ENDPOINT}/"},
        {"AWS_S3_REGION_NAME": "eu-west-1", "S3_REQUEST_PAYER": "requester"},
        {"S3_ADDRESSING": "path"},
    ],
)
@pytest.mark.parametrize("bucket", ["client-bucket", "bucket1", "a--b"])
def test_it_says_of_a_bucket_what_boto3_says(bucket: str, given: dict[str, str]) -> None:
    local, boto3s = local_bucket(settings(**given), bucket), S3Bucket(settings(**given), bucket)
    assert local
    for name in ("base_url", "region", "payer", "proxy"):
        assert getattr(local, name) == getattr(boto3s, name), name
    assert local.credentials() == boto3s.credentials()
    assert "hushhush" not in repr(local.credentials())


@pytest.mark.parametrize(
    ("bucket", "given"),
    [
        ("bucket", {"AWS_ENDPOINT_URL_S3": "http://s3.example:9000"}),
        ("bucket", {"AWS_ENDPOINT_URL_S3": "https://127.0.0.1:9000"}),
        ("bucket", {"AWS_ENDPOINT_URL_S3": f"{ENDPOINT}/prefix"}),
        ("bucket", {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1"}),
        ("bucket", {"AWS_ENDPOINT_URL_S3": ""}),
        ("bucket", {"AWS_S3_SECRET_ACCESS_KEY": ""}),
        ("bucket", {"S3_ADDRESSING": "virtual"}),
        ("a.b", {}),
        ("arn:aws:s3:eu-west-1:123456789012:accesspoint/name", {}),
    ],
)
def test_all_others_are_left_to_boto3(bucket: str, given: dict[str, str]) -> None:
    assert local_bucket(settings(**given), bucket) is None


def test_a_process_that_copies_from_it_does_not_import_boto3() -> None:
    script = (
        "import sys; from shared.sources.s3.location import Location;"
        "from shared.config.settings import Settings, environment;"
        "url = Location(Settings.from_mapping(environment())).signed_url('key').url;"
        "print(url, 'boto3' in sys.modules)"
    )
    variables = {"AWS_ENDPOINT_URL_S3": ENDPOINT, "AWS_S3_BUCKET_NAME": "bucket", **KEYS}
    printed = subprocess.run(
        [sys.executable, "-c", script],
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert printed.stdout == f"{ENDPOINT}/bucket/key False\n"
