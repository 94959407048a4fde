from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import fields

import pytest

from shared.config.parsers import RateLimit
from shared.config.settings import Settings, environment, needed
from shared.errors import SettingError

SECRETS = {
    "SECRET_KEY": "hidden-1",
    "SECRET_KEY_PREVIOUS": "hidden-2",
    "DATABASE_URL": "postgresql://u:hidden-3@h/d",
    "RABBITMQ_URL": "amqp://u:hidden-4@h/v",
    "AWS_S3_SECRET_ACCESS_KEY": "hidden-5",
    "NASA_API_KEY": "hidden-6",
    "ADMIN_SESSION_KEY": "hidden",
    "ADMIN_PASSWORD_HASH": "hidden-7",
}


def test_nothing_needs_to_be_set() -> None:
    assert Settings.from_mapping({}) == Settings()


def test_the_original_names_are_read() -> None:
    settings = Settings.from_mapping(
        {
            "SECRET_KEY": "ü",
            "DATABASE_URL": "postgresql://sync@db:5432/sync",
            "RABBITMQ_URL": "amqps://broker",
            "MEMCACHED_URL": "cache.internal:11211",
            "STORAGE_PATH": "/data",
            "AWS_S3_BUCKET_NAME": "uploads",
            "AWS_S3_ACCESS_KEY_ID": "id",
            "AWS_S3_SECRET_ACCESS_KEY": "secret",
            "AWS_S3_REGION_NAME": "eu-west-1",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:27006",
            "NASA_API_URL": "https://photos.test/",
            "NASA_API_KEY": "key",
            "TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "AWS_LAMBDA_FUNCTION_NAME": "ingest",
        }
    )
    assert settings.secret_key == "ü".encode()
    assert settings.memcached_url == ("cache.internal", 11211)
    assert settings.bucket == "uploads"
    assert settings.s3_endpoint == "http://127.0.0.1:27006"
    assert settings.trusted_proxies == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("::1"),
    )
    assert settings.on_lambda is True


def test_an_empty_value_counts_as_not_given() -> None:
    names = [item.metadata["name"] for item in fields(Settings)]
    assert Settings.from_mapping(dict.fromkeys(names, "")) == Settings()


def test_the_limits_of_the_contract_are_the_defaults() -> None:
    settings = Settings()
    assert settings.max_body_bytes == 65_536
    assert settings.rate_limit_post == RateLimit(50, 60)
    assert settings.rate_limit_client == RateLimit(6_000, 60)
    assert settings.rate_limit_get == RateLimit(50, 60)
    assert settings.max_attempts == 8


def test_the_default_that_is_shown_is_the_one_that_holds() -> None:
    for item in fields(Settings):
        if item.metadata["shown"]:
            assert item.metadata["parse"](item.metadata["shown"]) == item.default


@pytest.mark.parametrize(
    "wrong",
    [
        {"DATABASE_URL": "mysql://u:hidden@h/d"},
        {"DATABASE_URL": "hidden"},
        {"DATABASE_URL": "postgresql://"},
        {"RABBITMQ_URL": "http://hidden"},
        {"MEMCACHED_URL": "hidden"},
        {"MEMCACHED_URL": "hidden:"},
        {"MEMCACHED_URL": "hidden:0"},
        {"MEMCACHED_URL": "hidden:65536"},
        {"MEMCACHED_URL": "hidden:\N{SUPERSCRIPT TWO}"},
        {"SOURCE": "hidden"},
        {"AWS_ENDPOINT_URL_S3": "hidden:9000"},
        {"MAX_BODY_BYTES": "0"},
        {"MAX_BODY_BYTES": "-1"},
        {"MAX_BODY_BYTES": "1e3"},
        {"MAX_ATTEMPTS": "\N{SUPERSCRIPT TWO}"},
        {"RATE_LIMIT_POST": "50"},
        {"RATE_LIMIT_CLIENT": "0/m"},
        {"RATE_LIMIT_GET": "50/d"},
        {"TRUSTED_PROXIES": "hidden"},
        {"TRUSTED_PROXIES": "10.0.0.1/8"},
        {"LOG_LEVEL": "hidden"},
        {"QUEUE_TYPE": "hidden"},
        {"SECRET_KEY": "hidden\udcff"},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_by_name_and_never_repeated(wrong: Mapping[str, str]) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.from_mapping(wrong)
    assert next(iter(wrong)) in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingError, match=r"SECRET_KEY is not set$"):
        Settings.from_mapping({"DATABASE_URL": "postgresql://h/d"}, ["DATABASE_URL", "SECRET_KEY"])
    with pytest.raises(SettingError, match=r"SECRET_KEY is not set$"):
        Settings.from_mapping({"SECRET_KEY": ""}, ["SECRET_KEY"])
    with pytest.raises(SettingError, match="STORAGE_PATH is not set"):
        needed(None, "STORAGE_PATH")
    assert needed("x", "STORAGE_PATH") == "x"


def test_no_secret_is_shown() -> None:
    shown = repr(Settings.from_mapping(SECRETS))
    assert "hidden" not in shown
    assert {i.metadata["name"] for i in fields(Settings) if i.metadata["secret"]} == set(SECRETS)


def test_the_current_key_comes_first() -> None:
    assert Settings.from_mapping(SECRETS).signing_keys == (b"hidden-1", b"hidden-2")
    assert Settings.from_mapping({"SECRET_KEY": "a"}).signing_keys == (b"a",)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("50/m", RateLimit(50, 60)),
        (" 5/s ", RateLimit(5, 1)),
        ("1000/h", RateLimit(1000, 3600)),
        ("off", RateLimit(0, 1)),
        ("OFF", RateLimit(0, 1)),
    ],
)
def test_a_rate_limit_is_read(text: str, limit: RateLimit) -> None:
    assert RateLimit.parse(text) == limit


def test_the_environment_is_the_process_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_PATH", "/somewhere")
    assert environment()["STORAGE_PATH"] == "/somewhere"
