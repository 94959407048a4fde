"""`make bench ONLY=libraries`: each hand-written part against the library that does the same."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from bench.figure import Figure
from bench.setting import Setting
from shared.errors import ServiceError

COMPARISONS = (
    "publishing",
    "rate_limits",
    "counters",
    "sessions",
    "settings",
    "downloads",
    "powertools",
)
"""Modules of this package, in the order of the decision records."""

PACKAGES = (
    "aws_lambda_powertools",
    "boto3",
    "itsdangerous",
    "kombu",
    "limits",
    "obstore",
    "pydantic_settings",
    "werkzeug",
)
"""What they import; `make bench` installs all of it from requirements/bench.txt."""


class LibrariesMissing(ServiceError):
    """Not installed."""


def measure(setting: Setting) -> Iterator[Figure]:
    """Run every comparison.

    Raises:
        LibrariesMissing: a library to compare with is not installed.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise LibrariesMissing(f"{', '.join(missing)}; see requirements/bench.txt")
    for name in COMPARISONS:
        # Not imported above: every other part of the benchmark must run without these libraries.
        yield from import_module(f"bench.libraries.{name}").measure(setting)
