from __future__ import annotations

import re

from local.settings import table
from tests.helpers.paths import ROOT


def test_the_readme_shows_the_settings_as_they_are() -> None:
    assert table() in (ROOT / "README.md").read_text()


def test_the_example_file_has_every_setting() -> None:
    names = set(re.findall(r"^\| `([A-Z0-9_]+)`", table(), re.MULTILINE))
    example = set(
        re.findall(r"^#?([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )
    assert example == names
