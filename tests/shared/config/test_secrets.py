from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Iterable, Mapping

import pytest

from shared.aws.secrets_manager import SecretsManager
from shared.config.secrets import Fetch, reread, resolve
from shared.config.settings import Settings
from shared.errors import SettingError

KEYS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys-AbCdEf"
URL = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf"
SECRETS = {
    KEYS: json.dumps({"current": "new key", "previous": "", "count": 3}),
    URL: "postgresql://sync:hidden@db/sync",
}


MISSING = SettingError("the secret cannot be read (ResourceNotFoundException)")
S3_KEYS = ("AWS_S3_ACCESS_KEY_ID", "AWS_S3_SECRET_ACCESS_KEY")


class Store:
    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, arns: Iterable[str]) -> Mapping[str, str | SettingError]:
        self.asked.append(list(arns))
        return {arn: SECRETS.get(arn, MISSING) for arn in self.asked[-1]}


def store_of(texts: Mapping[str, str]) -> Fetch:
    return lambda arns: {arn: texts[arn] for arn in arns}


def test_a_setting_given_by_reference_has_the_secrets_value() -> None:
    resolved = resolve({"DATABASE_URL_ARN": URL, "LOG_LEVEL": "DEBUG"}, Store())
    settings = Settings.from_mapping(resolved)
    assert settings.database_url == SECRETS[URL]
    assert settings.log_level == "DEBUG"


def test_all_secrets_are_fetched_together_and_each_of_them_once() -> None:
    store = Store()
    resolved = resolve(
        {
            "SECRET_KEY_ARN": f"{KEYS}#current",
            "SECRET_KEY_PREVIOUS_ARN": f"{KEYS}#previous",
            "DATABASE_URL_ARN": URL,
        },
        store,
    )
    assert Settings.from_mapping(resolved).signing_keys == (b"new key",)
    assert store.asked == [[KEYS, URL]]


def test_nothing_is_fetched_where_nothing_is_given_by_reference() -> None:
    store = Store()
    environment = {"SECRET_KEY": "k", "DATABASE_URL_ARN": "", "AWS_ROLE_ARN": "arn:aws:iam::1:x"}
    assert dict(resolve(environment, store)) == environment
    assert store.asked == []


def test_what_is_given_by_reference_is_read_again_and_nothing_else() -> None:
    arn = URL.replace("url", "s3")
    texts = {arn: '{"id": "first", "secret": "of the first"}'}
    variables = {
        "AWS_S3_ACCESS_KEY_ID_ARN": f"{arn}#id",
        "AWS_S3_SECRET_ACCESS_KEY_ARN": f"{arn}#secret",
        "DATABASE_URL_ARN": URL,
    }
    known = texts | SECRETS
    settings = Settings.from_mapping(resolve(variables, store_of(known)))
    assert reread(settings, S3_KEYS, variables, store_of(texts)) == settings
    texts[arn] = texts[arn].replace("first", "second")
    again = reread(settings, S3_KEYS, variables, store_of(texts))
    assert again.s3_access_key_id == "second"
    assert again.s3_secret_access_key == "of the second"
    assert again.database_url == settings.database_url


def test_what_is_empty_now_is_no_longer_set() -> None:
    variables = {"SECRET_KEY_ARN": f"{KEYS}#current", "SECRET_KEY_PREVIOUS_ARN": f"{KEYS}#previous"}
    settings = Settings(secret_key=b"old", secret_key_previous=b"older")
    again = reread(settings, ["SECRET_KEY", "SECRET_KEY_PREVIOUS"], variables, Store())
    assert again.signing_keys == (b"new key",)


def test_what_is_plain_stays_as_it_is() -> None:
    plain = {"AWS_S3_ACCESS_KEY_ID": "key", "AWS_S3_SECRET_ACCESS_KEY": "secret"}
    settings = Settings.from_mapping(plain)
    store = Store()
    assert reread(settings, S3_KEYS, plain, store) == settings
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


@pytest.mark.parametrize("arn", ["keys", "arn:aws:s3:::bucket", "arn:aws:ssm:r:1:parameter:x"])
def test_what_is_no_secrets_arn_is_refused_before_anything_is_asked(arn: str) -> None:
    assert str(SecretsManager()([arn])[arn]).endswith("not the ARN of a Secrets Manager secret")


def test_plain_settings_wait_for_no_http_client() -> None:
    program = (
        "import sys; sys.modules['boto3'] = sys.modules['http.client'] = None\n"
        "from shared.config.secrets import resolve\n"
        "assert resolve({'SECRET_KEY': 'k'})['SECRET_KEY'] == 'k'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
