"""The resources that a stack of `template.yaml` makes, nested stacks included.

It reads the template as it is written, before the SAM transform, which a machine that estimates
costs need not have. `tests/aws/test_costs.py` compares it with the transformed template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from shared.errors import SettingError

try:
    from yaml import CSafeLoader as _SafeLoader  # libyaml is ten times as fast
except ImportError:
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment] # the same interface

Document = Mapping[str, Any]

_NO_VALUE = object()
_PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::NoValue": _NO_VALUE,
    "AWS::Partition": "aws",
    "AWS::StackName": "external-storage-sync",
    "AWS::URLSuffix": "amazonaws.com",
}
_NESTED = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}
"""Types of nested stacks, each with the property that holds the path of its template."""


class _Loader(_SafeLoader):
    """A loader that reads CloudFormation's short forms, such as !GetAtt, as the long ones."""


def _long_form(loader: SafeConstructor, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any = None
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _long_form)


def read(path: Path) -> Document:
    """Return a CloudFormation template, its short forms as the long ones.

    Raises:
        SettingError: it cannot be read.
    """
    try:
        # A subclass of SafeLoader, which makes nothing but plain data.
        document: Document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except (OSError, yaml.YAMLError) as error:
        raise SettingError(f"{path}: {error}") from error
    return document


class Stack:
    """A stack, as far as it can be known before it is made.

    Args:
        document: the template, as `read` returns it.
        folder: of the template, from where it names those nested in it.
        given: parameters that differ from the template's defaults.
        region: of the stack.

    Raises:
        ValueError: there is no such parameter, or it does not allow the value.
    """

    def __init__(
        self, document: Document, folder: Path, given: Mapping[str, str], region: str
    ) -> None:
        self._document = document
        self._folder = folder
        self._region = region
        declared = self._document.get("Parameters", {})
        for name, value in given.items():
            _check(declared, name, value)
        self.parameters = {
            name: str(given.get(name, definition.get("Default", name)))
            for name, definition in declared.items()
        }

    @property
    def globals(self) -> Document:
        """Return the properties that all functions have in common, resolved."""
        found: Document = self.resolve(self._document.get("Globals", {}).get("Function", {}))
        return found

    def resources(self) -> Iterator[tuple[str, str, Document]]:
        """Yield logical id, type and resolved properties of everything that the stack makes.

        Raises:
            SettingError: a nested template cannot be read.
        """
        for name, resource in self._document["Resources"].items():
            if "Condition" in resource and not self._holds({"Condition": resource["Condition"]}):
                continue
            kind, properties = resource["Type"], self.resolve(resource.get("Properties", {}))
            yield name, kind, properties
            if kind in _NESTED:
                yield from self._nested(properties[_NESTED[kind]], properties).resources()

    def resolve(self, value: Any) -> Any:  # noqa: PLR0911 # a case for each function
        """Return a value with parameters and conditions applied; what only AWS knows, as a text."""
        match value:
            case {"Ref": name}:
                return self._ref(name)
            case {"Fn::If": [condition, yes, no]}:
                return self.resolve(yes if self._holds({"Condition": condition}) else no)
            case {"Fn::FindInMap": [table, *keys]}:
                first, second = map(self.resolve, keys)
                return self.resolve(self._document["Mappings"][table][first][second])
            case {"Fn::GetAtt": [*path]}:
                return ".".join(path)
            case {"Fn::Sub": [text, names]}:
                return self._substituted(text, names)
            case {"Fn::Sub": text}:
                return self._substituted(text, {})
            case dict() if len(value) == 1 and next(iter(value)).startswith("Fn::"):
                return str(value)
            case dict():
                pairs = ((key, self.resolve(inner)) for key, inner in value.items())
                return {key: inner for key, inner in pairs if inner is not _NO_VALUE}
            case list():
                return [inner for inner in map(self.resolve, value) if inner is not _NO_VALUE]
            case _:
                return value

    def _nested(self, location: str, properties: Document) -> Stack:
        path = self._folder / location
        nested = Stack(read(path), path.parent, {}, self._region)
        given = {name: str(value) for name, value in properties.get("Parameters", {}).items()}
        nested.parameters |= given
        return nested

    def _ref(self, name: str) -> Any:
        if name == "AWS::Region":
            return self._region
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name not in self.parameters:
            return name
        value = self.parameters[name]
        is_list = "List" in self._document["Parameters"][name]["Type"]
        return value.split(",") if is_list else value

    def _holds(self, rule: Any) -> bool:
        match rule:
            case {"Condition": name}:
                return self._holds(self._document["Conditions"][name])
            case {"Fn::Equals": [left, right]}:
                # CloudFormation compares texts, a Number's too.
                return str(self.resolve(left)) == str(self.resolve(right))
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::And": rules}:
                return all(map(self._holds, rules))
            case {"Fn::Or": rules}:
                return any(map(self._holds, rules))
        raise SettingError(f"a condition that is not understood: {rule}")

    def _substituted(self, text: str, names: Document) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            return str(self.resolve(names[name]) if name in names else self._ref(name))

        return re.sub(r"\$\{([^}!]+)\}", value, text)


def _check(declared: Document, name: str, value: str) -> None:
    if name not in declared:
        raise ValueError(f"the template has no parameter {name}")
    allowed = [str(one) for one in declared[name].get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}")
