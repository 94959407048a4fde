from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from shared.config.startup import start
from shared.errors import SettingError


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)


def test_the_settings_of_the_process_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d")
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    assert start(["DATABASE_URL"]).database_url == "postgresql://h/d"
    assert logging.getLogger().level == logging.ERROR


def test_a_missing_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SettingError, match="DATABASE_URL"):
        start(["DATABASE_URL"])
