from __future__ import annotations

from pathlib import Path

import pytest

from shared import errors
from shared.config.settings import Settings
from shared.sources.s3.location import Location


def location(**settings: str) -> Location:
    return Location(Settings.from_mapping({"AWS_S3_BUCKET_NAME": "bucket", **settings}))


KEYS_GIVEN = {"AWS_S3_ACCESS_KEY_ID": "given", "AWS_S3_SECRET_ACCESS_KEY": "hushhush"}


@pytest.mark.parametrize("given", KEYS_GIVEN)
def test_one_key_without_the_other_is_a_wrong_setting(given: str) -> None:
    (missing,) = KEYS_GIVEN.keys() - {given}
    with pytest.raises(errors.SettingError, match=f"{missing} is not set"):
        location(**{given: "alone"})


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without AWS settings of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch


@pytest.mark.usefixtures("no_aws")
def test_aws_itself_is_reached_as_boto3_reaches_it() -> None:
    signed = location(**KEYS_GIVEN, AWS_S3_REGION_NAME="eu-west-1").signed_url("a b")
    assert signed.url == "https://bucket.s3.eu-west-1.amazonaws.com/a%20b"
    assert (signed.region, signed.credentials.access_key) == ("eu-west-1", "given")


@pytest.mark.usefixtures("no_aws")
def test_a_bucket_whose_name_is_no_host_name_is_reached_by_path() -> None:
    signed = location(
        **KEYS_GIVEN, AWS_S3_REGION_NAME="eu-west-1", AWS_S3_BUCKET_NAME="a.b"
    ).signed_url("k")
    assert signed.url == "https://s3.eu-west-1.amazonaws.com/a.b/k"


@pytest.mark.usefixtures("no_aws")
def test_another_server_is_reached_by_path() -> None:
    signed = location(**KEYS_GIVEN, AWS_ENDPOINT_URL_S3="http://s3.example:9000").signed_url("k")
    assert signed.url == "http://s3.example:9000/bucket/k"


@pytest.mark.usefixtures("no_aws")
def test_localstack_is_reached_by_its_own_session_unless_an_endpoint_is_given() -> None:
    signed = location(LOCALSTACK_HOST="stack:4566").signed_url("k")
    assert signed.url == "http://stack:4566/bucket/k"
    other = location(
        LOCALSTACK_HOST="stack:4566", AWS_ENDPOINT_URL_S3="http://s3.example", **KEYS_GIVEN
    )
    assert other.signed_url("k").url == "http://s3.example/bucket/k"


def test_boto3s_own_chain_is_used_with_its_token_when_no_keys_are_given(
    no_aws: pytest.MonkeyPatch,
) -> None:
    no_aws.setenv("AWS_ACCESS_KEY_ID", "chained")
    no_aws.setenv("AWS_SECRET_ACCESS_KEY", "hushhush")
    no_aws.setenv("AWS_SESSION_TOKEN", "token")
    signed = location(AWS_ENDPOINT_URL_S3="http://s3.example").signed_url("k")
    credentials = signed.credentials
    assert (credentials.access_key, credentials.token) == ("chained", "token")
    assert "hushhush" not in repr(signed)
    assert "token" not in repr(signed)


@pytest.mark.usefixtures("no_aws")
def test_a_machine_without_credentials_is_told_so() -> None:
    with pytest.raises(errors.SourceUnavailable, match="AWS_S3_ACCESS_KEY_ID"):
        location().signed_url("k")
