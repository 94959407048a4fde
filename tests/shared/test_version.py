from __future__ import annotations

import tomllib

from shared.version import VERSION
from tests.helpers.paths import ROOT


def test_the_version_is_the_project_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
