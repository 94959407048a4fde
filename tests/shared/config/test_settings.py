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
    "RABBITMQ_URL": "amqp://h/v",
    "RABBITMQ_USER": "u",
    "RABBITMQ_PASSWORD": "hidden-4",
    "AWS_S3_SECRET_ACCESS_KEY": "hidden-5",
    "NASA_API_KEY": "hidden-6",
    "ADMIN_SESSION_KEY": "hidden",
    "ADMIN_PASSWORD": "hidden-8",
    "ADMIN_PASSWORD_HASH": "hidden-7",
    "S3_EVENTS_SECRET": "hidden-9",
    "CALLBACK_URL": "https://h/?token=hidden",
    "CALLBACK_SECRET": "whsec_" + "hidden" * 6,
    "CALLBACK_SECRET_PREVIOUS": "whsec_" + "hidden" * 7,
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
    assert settings.memcached_url == (("cache.internal", 11211),)
    assert settings.bucket == "uploads"
    assert settings.s3_endpoint == "http://127.0.0.1:27006"
    assert settings.trusted_proxies == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("::1"),
    )
    assert settings.on_lambda is True


def test_permissions_are_octal() -> None:
    settings = Settings.from_mapping({"FILE_MODE": "640", "FOLDER_MODE": "02750"})
    assert (settings.file_mode, settings.folder_mode) == (0o640, 0o2750)


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
        {"MEMCACHED_URL": "memcached://hidden"},
        {"MEMCACHED_URL": "memcached://hidden@h:11211"},
        {"MEMCACHED_URL": "memcached://u:hidden@h:11211"},
        {"MEMCACHED_URL": "memcached://h:11211/hidden"},
        {"MEMCACHED_URL": "redis://hidden:11211"},
        {"MEMCACHED_URL": "http://hidden:11211"},
        {"MEMCACHED_URL": "hidden h:11211"},
        {"MEMCACHED_URL": "h:1,"},
        {"MEMCACHED_URL": "h:1,hidden"},
        {"MEMCACHED_URL": "h:1;hidden:2"},
        {"MEMCACHED_URL": "[hidden]:11211"},
        {"LOCALSTACK_HOST": "http://hidden:4566"},
        {"LOCALSTACK_HOST": "h:hidden"},
        {"RABBITMQ_URL": "hidden:5672"},
        {"RABBITMQ_URL": "ampq://hidden"},
        {"DATABASE_URL": "postgresql+psycopg2://u:hidden@h/d"},
        {"DATABASE_URL": "postgresql://u:hid den@hidden/d"},
        {"NASA_API_URL": "api.nasa.gov/hidden"},
        {"AWS_ENDPOINT_URL_S3": "http://"},
        {"AWS_ENDPOINT_URL_S3": "http:///hidden"},
        {"AWS_ENDPOINT_URL_S3": "http://h:hidden"},
        {"AWS_ENDPOINT_URL_S3": "http://h:65536/hidden"},
        {"AWS_ENDPOINT_URL_S3": "http://h:0/hidden"},
        {"AWS_ENDPOINT_URL_S3": "s3://hidden"},
        {"STORAGE_PATH": "$hidden/x"},
        {"STORAGE_PATH": "~hidden-and-no-account/x"},
        {"SECRET_KEY": " hidden"},
        {"SECRET_KEY_PREVIOUS": "hidden\n"},
        {"ADMIN_SESSION_KEY": "hidden\t"},
        {"ADMIN_PASSWORD": "hidden\n"},
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
        {"FILE_MODE": "rw-hidden"},
        {"FILE_MODE": "0200"},
        {"FILE_MODE": "4644"},
        {"FILE_MODE": "0o644"},
        {"FILE_MODE": "\N{SUPERSCRIPT TWO}00"},
        {"FOLDER_MODE": "0600"},
        {"FOLDER_MODE": "6755"},
        {"FILE_MTIME": "hidden"},
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


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("h:11211", ("h", 11211)),
        ("memcached://h:11211", ("h", 11211)),
        ("Memcached://cache.internal:1/", ("cache.internal", 1)),
        ("[::1]:11211", ("::1", 11211)),
        ("memcached://[fe80::1]:11211", ("fe80::1", 11211)),
        ("127.0.0.1:11211\n", ("127.0.0.1", 11211)),
    ],
)
def test_memcached_is_an_address_or_a_url(text: str, address: tuple[str, int]) -> None:
    assert Settings.from_mapping({"MEMCACHED_URL": text}).memcached_url == (address,)


@pytest.mark.parametrize(
    "text",
    [
        "a:1,[::1]:2",
        "a:1, [::1]:2",
        "memcached://a:1,[::1]:2/",
        "memcached://a:1,memcached://[::1]:2",
        "a:1,[::1]:2,a:1",
    ],
)
def test_there_may_be_several_memcached(text: str) -> None:
    assert Settings.from_mapping({"MEMCACHED_URL": text}).memcached_url == (("a", 1), ("::1", 2))


@pytest.mark.parametrize("host", ["localstack", "localhost:4566", "127.0.0.1", "[::1]:4566"])
def test_localstack_is_a_host_with_or_without_a_port(host: str) -> None:
    assert Settings.from_mapping({"LOCALSTACK_HOST": host}).localstack_host == host


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:9000",
        "https://s3.internal",
        "HTTPS://s3.internal/",
        "http://[::1]:9000/minio",
    ],
)
def test_an_endpoint_is_taken_as_it_is(text: str) -> None:
    assert Settings.from_mapping({"AWS_ENDPOINT_URL_S3": text}).s3_endpoint == text


def test_several_hosts_of_a_database_are_its_driver_s_affair() -> None:
    text = "postgresql://u:p@one:5432,two:5433/d"
    assert Settings.from_mapping({"DATABASE_URL": text}).database_url == text


def test_white_space_around_a_value_is_no_part_of_it() -> None:
    settings = Settings.from_mapping(
        {"DATABASE_URL": " postgresql://h/d\n", "MAX_ATTEMPTS": "5\r\n", "SECRET_KEY": " \n"}
    )
    assert (settings.database_url, settings.max_attempts) == ("postgresql://h/d", 5)
    assert settings.secret_key is None
    assert Settings.from_mapping({"DATABASE_URL": " \n"}).database_url is None


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "SECRET_KEY_PREVIOUS", "ADMIN_SESSION_KEY", "S3_EVENTS_SECRET"]
)
def test_a_short_key_is_refused_outside_a_local_run(name: str) -> None:
    Settings.from_mapping({name: "0123456789abcdef"}).require_long_keys()
    Settings.from_mapping({name: "ä" * 8}).require_long_keys()
    Settings.from_mapping({name: "a", "LOCAL_RUN": "1"}).require_long_keys()
    for local in ({}, {"LOCAL_RUN": "0"}, {"AWS_LAMBDA_FUNCTION_NAME": "ingest"}):
        with pytest.raises(SettingError, match=f"{name}: at least 16 bytes"):
            Settings.from_mapping({name: "0123456789abcde", **local}).require_long_keys()


def test_a_missing_variable_is_named() -> None:
    for given in ({}, {"SECRET_KEY": ""}, {"SECRET_KEY_PREVIOUS": "old"}):
        with pytest.raises(SettingError, match=r"SECRET_KEY is not set$"):
            _ = Settings.from_mapping(given).signing_keys
    with pytest.raises(SettingError, match="STORAGE_PATH is not set"):
        needed(None, "STORAGE_PATH")
    assert needed("x", "STORAGE_PATH") == "x"


def test_no_secret_is_shown() -> None:
    shown = repr(Settings.from_mapping(SECRETS))
    assert "hidden" not in shown
    secret = {i.metadata["name"] for i in fields(Settings) if i.metadata["secret"]}
    assert secret == set(SECRETS) - {"RABBITMQ_USER"}


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


def test_the_brokers_login_may_be_given_apart_from_its_url() -> None:
    given = {"RABBITMQ_USER": "sync", "RABBITMQ_PASSWORD": "a/b@c:d%e"}
    settings = Settings.from_mapping({"RABBITMQ_URL": "amqps://a:5671,b:5671/%2F", **given})
    assert settings.rabbitmq_url == "amqps://sync:a%2Fb%40c%3Ad%25e@a:5671,b:5671/%2F"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"RABBITMQ_USER": "u", "RABBITMQ_PASSWORD": "p"}, "RABBITMQ_URL is not set"),
        ({"RABBITMQ_URL": "amqp://h/", "RABBITMQ_USER": "u"}, "RABBITMQ_PASSWORD is not set"),
        ({"RABBITMQ_URL": "amqp://h/", "RABBITMQ_PASSWORD": "p"}, "RABBITMQ_USER is not set"),
        (
            {"RABBITMQ_URL": "amqp://x:y@h/", "RABBITMQ_USER": "u", "RABBITMQ_PASSWORD": "p"},
            "RABBITMQ_URL has a user of its own",
        ),
    ],
)
def test_half_a_login_of_the_broker_or_two_are_refused(
    variables: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingError, match=named):
        Settings.from_mapping(variables)
