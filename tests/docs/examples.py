"""The files of docs/examples, read as their tools read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from local.aws_costs.stack import read
from tests.helpers.paths import ROOT

EXAMPLES = ROOT / "docs" / "examples"


def template(path: Path) -> dict[str, Any]:
    """Return a CloudFormation template, its short forms as the long ones."""
    return dict(read(path))


def manifests(path: Path) -> dict[str, dict[str, Any]]:
    """Return the objects of a Kubernetes file, by their kind."""
    documents = list(yaml.safe_load_all(path.read_text()))
    found = {document["kind"]: document for document in documents}
    assert len(found) == len(documents)
    return found
