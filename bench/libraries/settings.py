"""Our settings against pydantic-settings: the same variables, defaults and parsers in a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Annotated, Any
from unittest.mock import patch

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings

from bench.figure import Figure
from bench.libraries.ours import Settings
from bench.libraries.timing import fresh, in_turn, micros
from bench.setting import Setting
from shared.errors import SettingError

NUMBER = 200
VALID = {
    "SECRET_KEY": "k" * 32,
    "DATABASE_URL": "postgresql://sync:password@127.0.0.1/sync",
    "RABBITMQ_URL": "amqp://sync:password@127.0.0.1/",
    "MEMCACHED_URL": "127.0.0.1:11211",
    "STORAGE_PATH": "/srv/storage",
    "AWS_S3_BUCKET_NAME": "bucket",
    "RATE_LIMIT_POST": "50/m",
    "TRUSTED_PROXIES": "10.0.0.0/8",
}
MARK = "hunter2-hunter2"
INVALID = {
    "DATABASE_URL": f"mysql://sync:{MARK}@127.0.0.1/sync",
    "RABBITMQ_URL": f"http://sync:{MARK}@127.0.0.1/",
    "MEMCACHED_URL": MARK,
    "MAX_BODY_BYTES": MARK,
    "RATE_LIMIT_POST": MARK,
    "QUEUE_TYPE": MARK,
}
"""Each makes the settings invalid by itself, and contains what no log line may show."""

_OURS = f"from {Settings.__module__} import Settings"
_PEER = "from pydantic_settings import BaseSettings"
_PYDANTIC = "from pydantic import BaseModel"
_MODULE = f"import {__name__} as compared"


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare the start of a process, reading, and the errors."""
    starts = {
        "import of the settings": (_OURS, _PEER, ""),
        "import of the settings, pydantic already there": (_OURS, _PEER, _PYDANTIC),
        "first settings of a process": ("compared.ours()", "compared.reference()", _MODULE),
    }
    for what, (ours_, reference_, before) in starts.items():
        contenders = {"ours": _fresh(ours_, before), "reference": _fresh(reference_, before)}
        ms = in_turn(setting, what, contenders)
        yield Figure(what, ms["ours"], "ms", None, ms["reference"], "pydantic-settings")
    made = model()
    with patch.dict(os.environ, VALID, clear=True):
        contenders = {
            "ours": lambda: micros(ours, NUMBER),
            "reference": lambda: micros(made, NUMBER),
        }
        spent = in_turn(setting, "settings", contenders)
    yield Figure(
        "settings read", spent["ours"], "µs", None, spent["reference"], "pydantic-settings"
    )
    mine = [_error(lambda: Settings.from_mapping(os.environ), *item) for item in INVALID.items()]
    what = f"errors of {len(INVALID)} invalid settings"
    references = [_error(made, *item) for item in INVALID.items()]
    against = "pydantic-settings, as it comes"
    yield Figure(f"{what}: values shown", [_shown(mine)], "", None, [_shown(references)], against)
    made = model(hidden=True)
    references = [_error(made, *item) for item in INVALID.items()]
    against = "pydantic-settings, hide_input_in_errors"
    yield Figure(f"{what}: lines", [_lines(mine)], "", None, [_lines(references)], against)


def ours() -> Settings:
    """Return our settings from `VALID`."""
    return Settings.from_mapping(VALID)


def reference() -> object:
    """Return the library's, the class included that it builds once per process."""
    with patch.dict(os.environ, VALID, clear=True):
        return model()()


def model(*, hidden: bool = False) -> Callable[[], object]:
    """Return our settings as a class of pydantic-settings, which reads the environment.

    Args:
        hidden: keep values out of errors, which is not the library's default.
    """
    members: dict[str, Any] = {
        item.name: Field(item.default, validation_alias=item.metadata["name"])
        for item in fields(Settings)
    }
    kinds = {
        item.name: Annotated[Any, BeforeValidator(item.metadata["parse"])]
        for item in fields(Settings)
    }
    # By itself the library validates defaults too, which are values already.
    config = {
        "env_ignore_empty": True,
        "hide_input_in_errors": hidden,
        "validate_default": False,
    }
    return type(
        "Reference", (BaseSettings,), {"__annotations__": kinds, "model_config": config, **members}
    )


def _fresh(script: str, before: str) -> Callable[[], float]:
    return lambda: fresh(script, before)


def _error(read: Callable[[], object], name: str, value: str) -> str:
    """Return the text of the error that an invalid setting ends in."""
    with patch.dict(os.environ, {**VALID, name: value}, clear=True):
        try:
            read()
        except (SettingError, ValidationError) as error:
            text = str(error)
            if name not in text:
                raise AssertionError(f"{name} is not named: {text}") from error
            return text
    raise AssertionError(f"{name} was accepted")


def _shown(errors: list[str]) -> float:
    return float(sum(MARK in text for text in errors))


def _lines(errors: list[str]) -> float:
    return float(sum(len(text.splitlines()) for text in errors))
