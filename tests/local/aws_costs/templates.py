"""Small templates of stacks, as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local.aws_costs.inventory import Inventory
from local.aws_costs.stack import Stack, read

REGION = "eu-west-1"


def stack(folder: Path, text: str, given: Mapping[str, str] | None = None) -> Stack:
    """Return the stack of a template's text."""
    file = folder / "template.yaml"
    file.write_text(text)
    return Stack(read(file), folder, given or {}, REGION)


def inventory(folder: Path, text: str, given: Mapping[str, str] | None = None) -> Inventory:
    """Return what the stack of a template's text has."""
    return Inventory(stack(folder, text, given))
