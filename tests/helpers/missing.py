"""What a test does on a machine that lacks what it needs."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the test; with CI=true fail it, where everything must be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"not installed: {reason}")
    pytest.skip(f"not installed: {reason}")
