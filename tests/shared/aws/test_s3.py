"""What of the user's own AWS configuration counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.aws.s3 import check_s3_settings, s3_client
from shared.aws.s3_bucket import S3Bucket
from shared.config.settings import Settings
from shared.errors import SettingError, SourceUnavailable

KEYS = {"AWS_S3_ACCESS_KEY_ID": "local", "AWS_S3_SECRET_ACCESS_KEY": "local"}
OWN = {**KEYS, "AWS_S3_REGION_NAME": "us-east-1", "AWS_S3_BUCKET_NAME": "bucket"}
CONFIG = """
[default]
region = eu-north-1
use_dualstack_endpoint = true
use_fips_endpoint = true
endpoint_url = http://elsewhere.example
s3 =
    use_accelerate_endpoint = true
    addressing_style = virtual
    payload_signing_enabled = true
"""


def settings(endpoint: str = "", **others: str) -> Settings:
    return Settings.from_mapping({**OWN, "AWS_ENDPOINT_URL_S3": endpoint, **others})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    return folder


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_PROFILE": "nobody"},
        {"AWS_DEFAULT_PROFILE": "nobody"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_RETRY_MODE": "gibberish"},
        {"AWS_MAX_ATTEMPTS": "gibberish"},
        {"AWS_DEFAULTS_MODE": "gibberish"},
        {"AWS_ENDPOINT_URL_S3": "gibberish"},
        {"AWS_SESSION_TOKEN": "of another account"},
        {"AWS_DEFAULT_REGION": "eu-west-1"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("home")
def test_a_server_of_this_machine_with_keys_knows_nothing_of_the_user(
    monkeypatch: pytest.MonkeyPatch, host: str, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    bucket = S3Bucket(settings(f"http://{host}:9000"), "bucket")
    assert bucket.base_url == f"http://{host}:9000/bucket"
    assert bucket.region == "us-east-1"
    keys = bucket.credentials()
    assert (keys.access_key, keys.secret_key, keys.token) == ("local", "local", None)


@pytest.mark.parametrize("content", ["gibberish", "[default\n", "\xff\xfe"])
def test_nor_is_a_file_of_his_read_that_cannot_be(home: Path, content: str) -> None:
    for name in ("config", "credentials"):
        (home / name).write_bytes(content.encode("iso-8859-1"))
    assert S3Bucket(settings("http://127.0.0.1:9000"), "bucket").region == "us-east-1"


def test_a_server_of_this_machine_without_keys_has_the_user_s(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config").write_text("[profile minio]\nregion = eu-north-1\n")
    (home / "credentials").write_text(
        "[minio]\naws_access_key_id = mine\naws_secret_access_key = mine too\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "minio")
    given = {"AWS_S3_ACCESS_KEY_ID": "", "AWS_S3_SECRET_ACCESS_KEY": "", "AWS_S3_REGION_NAME": ""}
    bucket = S3Bucket(settings("http://127.0.0.1:9000", **given), "bucket")
    assert bucket.credentials().access_key == "mine"
    assert bucket.region == "eu-north-1"


def test_a_profile_that_does_not_exist_is_one_line_for_a_real_s3(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    for endpoint in ("", "https://s3.example"):
        with pytest.raises(SettingError) as caught:
            check_s3_settings(settings(endpoint))
        assert "nobody" in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(SourceUnavailable, match="nobody"):
            s3_client(settings(endpoint))


@pytest.mark.usefixtures("home")
def test_a_configuration_that_boto3_refuses_is_one_line_for_a_real_s3() -> None:
    with pytest.raises(SettingError) as caught:
        check_s3_settings(settings("https://s3.example"))
    assert "\n" not in str(caught.value)


def test_a_usual_configuration_is_accepted_without_keys() -> None:
    given = {"AWS_S3_ACCESS_KEY_ID": "", "AWS_S3_SECRET_ACCESS_KEY": ""}
    check_s3_settings(settings(**given))
