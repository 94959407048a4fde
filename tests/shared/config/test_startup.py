from __future__ import annotations

import logging

import pytest

from shared.config.startup import start
from shared.errors import SettingError


def test_the_settings_of_the_process_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d")
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    assert start().database_url == "postgresql://h/d"
    assert logging.getLogger().level == logging.ERROR


def test_an_invalid_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://h/d")
    with pytest.raises(SettingError, match="DATABASE_URL"):
        start()


def test_an_injection_point_is_refused_outside_a_local_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRASH_POINT", "before-record")
    monkeypatch.delenv("LOCAL_RUN", raising=False)
    with pytest.raises(SettingError, match="CRASH_POINT"):
        start()
