from __future__ import annotations

import re

import pytest

from local.setting_names import OURS, edits, is_known, misspelled, near_miss
from tests.helpers.paths import ROOT


def test_every_documented_setting_is_known() -> None:
    example = (ROOT / ".env.example").read_text()
    documented = re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE)
    assert set(documented) <= OURS
    assert all(map(is_known, documented))


def test_everything_that_compose_reads_is_known() -> None:
    read = re.findall(r"\$\{(\w+)", (ROOT / "local" / "docker-compose.yml").read_text())
    assert all(map(is_known, read))


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CA_BUNDLE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_ENDPOINT_URL_S3",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
        "AWS_S3_USE_ARN_REGION",
        "AWS_MAX_ATTEMPTS",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_LAMBDA_LOG_LEVEL",
        "LOCALSTACK_HOST",
        "LOCALSTACK_AUTH_TOKEN",
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "no_proxy",
        "NO_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "LC_ALL",
        "LANG",
        "TZ",
        "PYTHONUTF8",
        "PYTHONUNBUFFERED",
        "PGSSLMODE",
        "PGCONNECT_TIMEOUT",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "COMPOSE_PROJECT_NAME",
        "DOCKER_DEFAULT_PLATFORM",
        "DOCKER_HOST",
        "POSTGRES_PASSWORD",
        "TMPDIR",
        "HOME",
        "PATH",
        "NO_COLOR",
        "MALLOC_ARENA_MAX",
        "GRANIAN_LOG_LEVEL",
        "DATABASE_URL_ARN",
        "SECRET_KEY_PREVIOUS_ARN",
    ],
)
def test_what_other_programs_read_is_known(name: str) -> None:
    assert is_known(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RATE_LIMT_POST", "RATE_LIMIT_POST"),
        ("RATE_LIMIT_PSOT", "RATE_LIMIT_POST"),
        ("Port", "PORT"),
        ("PROT", "PORT"),
        ("AWS_ENDPOINT_URLS3", "AWS_ENDPOINT_URL_S3"),
        ("AWS_ENDPOINT_URL_SQS", None),
        ("PORTAL", None),
        ("HOME", None),
        ("PATH", None),
        ("LANGUAGE", None),
        ("SHLVL", None),
    ],
)
def test_what_was_meant(name: str, meant: str | None) -> None:
    assert near_miss(name) == meant


def test_only_what_looks_misspelt_is_reported_of_a_process() -> None:
    names = ["PATH", "SHLVL", "KUBERNETES_PORT", "MY_APP", "PORT", "DATABSE_URL", "AWS_PROFIL"]
    assert misspelled(names) == {"DATABSE_URL": "DATABASE_URL", "AWS_PROFIL": "AWS_PROFILE"}


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("LIMT", "LIMIT", 1), ("PROT", "PORT", 1)],
)
def test_edits_are_counted(one: str, other: str, count: int) -> None:
    assert edits(one, other) == edits(other, one) == count
