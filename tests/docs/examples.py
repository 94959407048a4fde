"""The files of docs/examples, read as their tools read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.helpers.paths import ROOT

EXAMPLES = ROOT / "docs" / "examples"


class _Template(yaml.SafeLoader):
    """CloudFormation's YAML, with its short forms as the long ones."""


def _long_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


_Template.add_multi_constructor("!", _long_form)


def template(path: Path) -> dict[str, Any]:
    """Return a CloudFormation template."""
    # A subclass of SafeLoader, which makes nothing but plain data.
    document: dict[str, Any] = yaml.load(path.read_text(), _Template)  # noqa: S506
    return document


def manifests(path: Path) -> dict[str, dict[str, Any]]:
    """Return the objects of a Kubernetes file, by their kind."""
    documents = list(yaml.safe_load_all(path.read_text()))
    found = {document["kind"]: document for document in documents}
    assert len(found) == len(documents)
    return found
