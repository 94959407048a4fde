from __future__ import annotations

from pathlib import Path

import pytest

from shared.config.settings import Settings
from shared.errors import SourceUnavailable
from shared.sources.s3.endpoint import endpoint

BUCKET = {"AWS_S3_BUCKET_NAME": "bucket"}
WEST = {**BUCKET, "AWS_S3_REGION_NAME": "eu-west-1"}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine whose user has a configuration of profiles."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "config"
    path.write_text(
        "[profile fast]\ns3 =\n  use_accelerate_endpoint = true\n"
        "[profile fips]\nuse_fips_endpoint = true\n"
        "[profile path]\ns3 =\n  addressing_style = path\n"
        "[profile store]\nendpoint_url = http://store.example:9000\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    return path


def found(variables: dict[str, str]) -> str | None:
    find = endpoint(Settings.from_mapping(variables))
    return find and find()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_ENDPOINT_URL_S3": "http://s3:9"}, "http://s3:9"),
        ({**BUCKET, "LOCALSTACK_HOST": "ls"}, "http://ls:4566"),
        ({**BUCKET, "LOCALSTACK_HOST": "ls:1"}, "http://ls:1"),
        (WEST, "https://bucket.s3.eu-west-1.amazonaws.com"),
        (
            {**BUCKET, "AWS_S3_REGION_NAME": "cn-north-1"},
            "https://bucket.s3.cn-north-1.amazonaws.com.cn",
        ),
        (BUCKET, "https://bucket.s3.amazonaws.com"),
        ({}, None),
    ],
)
def test_the_settings_name_the_server_of_the_bucket(
    variables: dict[str, str], expected: str | None
) -> None:
    assert found(variables) == expected


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (
            "AWS_USE_DUALSTACK_ENDPOINT",
            "true",
            "https://bucket.s3.dualstack.eu-west-1.amazonaws.com",
        ),
        ("AWS_USE_FIPS_ENDPOINT", "true", "https://bucket.s3-fips.eu-west-1.amazonaws.com"),
        ("AWS_ENDPOINT_URL", "https://store.example/s3", "https://store.example"),
        ("AWS_PROFILE", "fast", "https://bucket.s3-accelerate.amazonaws.com"),
        ("AWS_PROFILE", "fips", "https://bucket.s3-fips.eu-west-1.amazonaws.com"),
        ("AWS_PROFILE", "path", "https://s3.eu-west-1.amazonaws.com"),
        ("AWS_PROFILE", "store", "http://store.example:9000"),
    ],
)
def test_the_probe_asks_the_server_that_boto3_finds(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert found(WEST) == expected


def test_a_configuration_that_boto3_refuses_is_the_probe_s_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SourceUnavailable, match="nobody"):
        found(WEST)
