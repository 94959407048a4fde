from __future__ import annotations

import json
import subprocess
import sys
import traceback

import pytest

from shared.aws.secrets_manager import SecretsManager
from shared.config.secrets import reread, reread_s3_keys, resolve
from shared.config.settings import Settings
from shared.errors import SettingError

KEYS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys-AbCdEf"
URL = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf"
SECRETS = {
    KEYS: json.dumps({"current": "new key", "previous": "", "count": 3}),
    URL: "postgresql://sync:hidden@db/sync",
}


class Store:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, arn: str) -> str:
        self.asked.append(arn)
        if arn not in SECRETS:
            raise SettingError("the secret cannot be read (ResourceNotFoundException)")
        return SECRETS[arn]


def test_a_setting_given_by_reference_has_the_secrets_value() -> None:
    resolved = resolve({"DATABASE_URL_ARN": URL, "LOG_LEVEL": "DEBUG"}, Store())
    settings = Settings.from_mapping(resolved)
    assert settings.database_url == SECRETS[URL]
    assert settings.log_level == "DEBUG"


def test_fields_of_one_secret_are_fetched_once() -> None:
    store = Store()
    resolved = resolve(
        {"SECRET_KEY_ARN": f"{KEYS}#current", "SECRET_KEY_PREVIOUS_ARN": f"{KEYS}#previous"}, store
    )
    assert Settings.from_mapping(resolved).signing_keys == (b"new key",)
    assert store.asked == [KEYS]


def test_nothing_is_fetched_where_nothing_is_given_by_reference() -> None:
    store = Store()
    environment = {"SECRET_KEY": "k", "DATABASE_URL_ARN": "", "AWS_ROLE_ARN": "arn:aws:iam::1:x"}
    assert dict(resolve(environment, store)) == environment
    assert store.asked == []


def test_keys_of_s3_are_read_again_where_they_are_given_by_reference() -> None:
    arn = URL.replace("url", "s3")
    texts = {arn: '{"id": "first", "secret": "of the first"}'}
    variables = {
        "AWS_S3_ACCESS_KEY_ID_ARN": f"{arn}#id",
        "AWS_S3_SECRET_ACCESS_KEY_ARN": f"{arn}#secret",
        "DATABASE_URL_ARN": URL,
    }
    known = texts | SECRETS
    settings = Settings.from_mapping(resolve(variables, known.__getitem__))
    assert reread_s3_keys(settings, variables, texts.__getitem__) == settings
    texts[arn] = texts[arn].replace("first", "second")
    again = reread_s3_keys(settings, variables, texts.__getitem__)
    assert again.s3_access_key_id == "second"
    assert again.s3_secret_access_key == "of the second"
    assert again.database_url == settings.database_url


def test_keys_of_s3_that_are_plain_stay_as_they_are() -> None:
    plain = {"AWS_S3_ACCESS_KEY_ID": "key", "AWS_S3_SECRET_ACCESS_KEY": "secret"}
    settings = Settings.from_mapping(plain)
    store = Store()
    assert reread_s3_keys(settings, plain, store) == settings
    assert store.asked == []


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SECRET_KEY": "k", "SECRET_KEY_ARN": KEYS}, "SECRET_KEY and SECRET_KEY_ARN are both set"),
        ({"SECRET_KEY_ARN": f"{KEYS}#next"}, "SECRET_KEY_ARN: the secret has no text named next"),
        ({"SECRET_KEY_ARN": f"{KEYS}#count"}, "SECRET_KEY_ARN: the secret has no text named count"),
        ({"SECRET_KEY_ARN": f"{URL}#current"}, "SECRET_KEY_ARN: the secret is not JSON"),
        (
            {"SECRET_KEY_ARN": f"{URL}x"},
            "SECRET_KEY_ARN: the secret cannot be read (ResourceNotFoundException)",
        ),
    ],
)
def test_a_wrong_reference_is_named_and_no_value_is_shown(
    environment: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingError) as caught:
        resolve(environment, Store())
    assert says in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hidden" not in shown
    assert "new key" not in shown


@pytest.mark.parametrize("arn", ["", "keys", "arn:aws:s3:::bucket", "arn:aws:ssm:r:1:parameter:x"])
def test_what_is_no_secrets_arn_is_refused_before_anything_is_asked(arn: str) -> None:
    with pytest.raises(SettingError, match="not the ARN of a Secrets Manager secret"):
        SecretsManager()(arn)


def test_plain_settings_need_no_boto3() -> None:
    program = (
        "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "from shared.config.secrets import resolve\n"
        "assert resolve({'SECRET_KEY': 'k'})['SECRET_KEY'] == 'k'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_setting_is_read_again_as_it_is_now() -> None:
    store = Store()
    assert reread("DATABASE_URL", {"DATABASE_URL_ARN": URL}, store) == SECRETS[URL]
    assert reread("DATABASE_URL", {"DATABASE_URL": "postgresql://h/d"}, store) is None
    assert store.asked == [URL]
