from __future__ import annotations

import logging
from pathlib import Path

import pytest

from local.environment import LocalEnvironment
from local.preflight import check
from shared.errors import SettingError


def load(directory: Path, **variables: str) -> LocalEnvironment:
    return LocalEnvironment.load(variables, directory)


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "SECRET_KEY_PREVIOUS", "ADMIN_SESSION_KEY", "S3_EVENTS_SECRET"]
)
def test_a_short_key_will_do_on_a_local_run_alone(tmp_path: Path, name: str) -> None:
    check(load(tmp_path, **{name: "a"}))
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        with pytest.raises(SettingError, match=f"^Invalid setting: {name}: at least 16 bytes"):
            check(load(tmp_path, HOST=host, **{name: "ä" * 7 + "a"}))
        with pytest.raises(SettingError, match="ADMIN_PASSWORD"):  # the next to be missed
            check(load(tmp_path, HOST=host, **{name: "ä" * 8}))


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("PORT=x", "PORT: expected a TCP port"),
        ("TRIGGERS=0", "TRIGGERS: expected"),
        ("RATE_LIMIT_POST=5", "RATE_LIMIT_POST: expected"),
        ("MEMCACHED_URL=redis://h:1", "MEMCACHED_URL: expected"),
        ("STORAGE_PATH=/proc/none", "STORAGE_PATH: /proc/none cannot be made"),
    ],
)
def test_an_invalid_value_is_named_with_its_place(tmp_path: Path, line: str, error: str) -> None:
    (tmp_path / ".env").write_text(f"# why\n{line}\n")
    with pytest.raises(SettingError) as caught:
        check(load(tmp_path))
    assert str(caught.value).startswith(f"Invalid setting: .env:2: {error}")


def test_a_misspelt_variable_of_the_process_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        check(load(tmp_path, RATE_LIMT_POST="5/m", PATH="/bin", KUBERNETES_PORT="tcp://h:1"))
    (record,) = caplog.records
    assert vars(record)["variable"] == "RATE_LIMT_POST"
    assert vars(record)["meant"] == "RATE_LIMIT_POST"


def test_callbacks_without_a_secret_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"^Invalid setting: CALLBACK_SECRET is not set$"):
        check(load(tmp_path, CALLBACK_URL="https://client.test/hook"))
    check(load(tmp_path, CALLBACK_URL="https://h/", CALLBACK_SECRET="whsec_" + "c2VjcmV0" * 6))
