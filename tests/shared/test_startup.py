from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from shared.errors import SettingError
from shared.startup import start

if TYPE_CHECKING:
    from collections.abc import Iterator


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
