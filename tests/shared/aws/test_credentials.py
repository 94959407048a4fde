from __future__ import annotations

from pathlib import Path

import pytest

from shared.aws.credentials import Credentials, own_credentials
from shared.errors import AwsUnavailable


def test_the_variables_that_lambda_sets_are_the_credentials() -> None:
    variables = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
    }
    assert own_credentials(variables) == Credentials("key", "secret", "token")
    del variables["AWS_SESSION_TOKEN"]
    assert own_credentials(variables) == Credentials("key", "secret", None)


def test_elsewhere_they_are_those_that_boto3_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    assert own_credentials() == Credentials("a", "b", None)


def test_without_any_aws_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AwsUnavailable, match="no AWS credentials found"):
        own_credentials()


def test_they_are_not_shown() -> None:
    assert repr(Credentials("key", "secret", "token")) == "Credentials()"
