from __future__ import annotations

from pathlib import Path

import pytest

from local.environment import LocalEnvironment
from local.systemd.unit_settings import UnitSettings, quoted
from shared.errors import SettingError
from shared.passwords import hash_password

GIVEN = {
    "SECRET_KEY": "0123456789abcdef",
    "DATABASE_URL": "postgresql:///sync?host=/run/postgresql",
    "RABBITMQ_URL": "amqp://sync:secret@127.0.0.1:5672/",
    "STORAGE_PATH": "/srv/files",
    "AWS_S3_BUCKET_NAME": "client-uploads",
    "AWS_S3_REGION_NAME": "eu-west-1",
    "ADMIN_PASSWORD_HASH": hash_password("correct horse"),
}


def unit_settings(directory: Path, **changed: str) -> UnitSettings:
    lines = [f"{name}='{value}'" for name, value in {**GIVEN, **changed}.items()]
    (directory / ".env").write_text("\n".join(lines))
    return UnitSettings.of(LocalEnvironment.load({}, directory))


def test_the_units_get_their_folder_and_number_of_triggers(tmp_path: Path) -> None:
    found = unit_settings(tmp_path, TRIGGERS="3", PORT="443", STORAGE_PATH="/srv/a b")
    assert (found.triggers, found.url) == (3, "http://localhost:443")
    assert found.drop_in() == '[Service]\nReadWritePaths="/srv/a b"\n'


def test_everything_that_is_missing_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        UnitSettings.of(LocalEnvironment.load({}, tmp_path))
    assert str(caught.value) == (
        "Invalid setting: not set: SECRET_KEY, DATABASE_URL, RABBITMQ_URL, STORAGE_PATH,"
        " AWS_S3_BUCKET_NAME, ADMIN_PASSWORD_HASH"
    )


@pytest.mark.parametrize("name", sorted(GIVEN.keys() - {"AWS_S3_REGION_NAME"}))
def test_each_of_them_is_missed(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match=f"not set: {name}$"):
        unit_settings(tmp_path, **{name: ""})


def test_the_demonstration_source_needs_no_bucket(tmp_path: Path) -> None:
    unit_settings(tmp_path, SOURCE="nasa", AWS_S3_BUCKET_NAME="")


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("SECRET_KEY", "short", "SECRET_KEY: at least 16 bytes"),
        # A hash differs each time it is made, and a test's name must not.
        pytest.param(
            *("ADMIN_PASSWORD_HASH", hash_password("admin"), "default password is for local runs"),
            id="default password",
        ),
        ("LOCAL_RUN", "1", "LOCAL_RUN: for local runs only"),
        ("STORAGE_PATH", "files", "STORAGE_PATH: expected an absolute path"),
        ("STORAGE_PATH", "/home/sync/files", "cannot see what is below /home"),
        ("STORAGE_PATH", "/srv/../tmp/files", "cannot see what is below /tmp"),
        ("TRIGGERS", "0", "TRIGGERS: expected"),
        ("SCHEDULE_SECONDS", "x", "SCHEDULE_SECONDS: expected"),
        ("TLS_KEY", "/etc/key.pem", "TLS_CERTIFICATE: TLS_KEY needs it"),
        ("RATE_LIMIT_POST", "5", "RATE_LIMIT_POST: expected"),
    ],
)
def test_a_default_of_local_runs_and_an_invalid_value_are_refused(
    tmp_path: Path, name: str, value: str, error: str
) -> None:
    with pytest.raises(SettingError, match=error):
        unit_settings(tmp_path, **{name: value})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/srv/a b", '"/srv/a b"'),
        ("/srv/50%", '"/srv/50%%"'),
        ('/srv/"a"', r'"/srv/\"a\""'),
        (r"/srv/a\b", r'"/srv/a\\b"'),
        ("/srv/ü", '"/srv/ü"'),
    ],
)
def test_a_path_is_quoted_as_units_have_it(path: str, text: str) -> None:
    assert quoted(Path(path)) == text
