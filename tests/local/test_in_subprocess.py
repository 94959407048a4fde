from __future__ import annotations

import os
import sys

import pytest

from local.in_subprocess import in_subprocess
from shared.errors import SettingError, SourceUnavailable, TooManyRequests


def module_is_imported(name: str) -> tuple[bool, int]:
    __import__(name)
    return name in sys.modules, os.getpid()


def fail(error: Exception) -> None:
    raise error


def test_what_a_function_imports_is_not_imported_here() -> None:
    imported, pid = in_subprocess(module_is_imported, "this")
    assert imported
    assert pid != os.getpid()
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    "error", [SettingError("S3: no such profile"), SourceUnavailable("a"), TooManyRequests(3)]
)
def test_its_error_is_raised_here(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        in_subprocess(fail, error)
    assert str(caught.value) == str(error)
    assert vars(caught.value) == vars(error)
