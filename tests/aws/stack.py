"""The transformed template as a stack has it: parameters, conditions, references resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "under-test",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()


class Stack:
    """A stack made from a transformed template.

    Args:
        document: the template after the SAM transform.
        parameters: values other than the defaults.
        attributes: what resources give, by `LogicalId` or `LogicalId.Attribute`, and other stacks,
            by the name of their export; where it names none, a text that shows what was asked for
            stands in.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        parameters: Mapping[str, str],
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        self._document = document
        self._attributes = attributes or {}
        self._parameters = {
            name: parameters.get(name, definition.get("Default"))
            for name, definition in document["Parameters"].items()
        }

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of every resource of a type that the stack makes, resolved."""
        return {
            name: self.resolve(resource.get("Properties", {}))
            for name, resource in self._document["Resources"].items()
            if resource["Type"] == kind and self._made(resource)
        }

    def outputs(self) -> dict[str, Any]:
        """Return the values of the stack's outputs, resolved."""
        return {
            name: self.resolve(output["Value"])
            for name, output in self._document["Outputs"].items()
            if self._made(output)
        }

    def metadata(self, name: str) -> dict[str, Any]:
        """Return a resource's metadata."""
        found: dict[str, Any] = self._document["Resources"][name].get("Metadata", {})
        return found

    def kinds(self) -> set[str]:
        """Return the types of the resources that the stack makes."""
        return {r["Type"] for r in self._document["Resources"].values() if self._made(r)}

    def resolve(self, value: Any) -> Any:  # noqa: PLR0912 # a case for each function
        """Resolves a value."""
        match value:
            case {"Ref": name}:
                return self._ref(name)
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(f"{name}.{attribute}")
            case {"Fn::If": [condition, yes, no]}:
                return self.resolve(yes if self.condition(condition) else no)
            case {"Fn::Sub": [text, names]}:
                return self._substitute(text, names)
            case {"Fn::Sub": text}:
                return self._substitute(text, {})
            case {"Fn::Select": [index, values]}:
                return self.resolve(values)[int(index)]
            case {"Fn::Split": [separator, text]}:
                return self.resolve(text).split(separator)
            case {"Fn::Join": [separator, values]}:
                return separator.join(self.resolve(values))
            case {"Fn::ImportValue": name}:
                return self._attribute(self.resolve(name))
            case {"Fn::FindInMap": [table, key, name]}:
                return self._document["Mappings"][table][self.resolve(key)][name]
            case {"Fn::GetAZs": _}:
                return ["eu-west-1a", "eu-west-1b"]
            case {"Fn::Cidr": [_, count, _]}:
                return [f"10.27.0.{64 * n}/26" for n in range(int(count))]
            case dict():
                pairs = ((k, self.resolve(v)) for k, v in value.items())
                return {k: v for k, v in pairs if v is not NO_VALUE}
            case list():
                return [v for v in map(self.resolve, value) if v is not NO_VALUE]
            case _:
                return value

    def condition(self, name: str) -> bool:
        """Return whether a condition of the template holds."""
        return self._holds(self._document["Conditions"][name])

    def _holds(self, rule: Mapping[str, Any]) -> bool:
        match rule:
            case {"Fn::Equals": [left, right]}:
                # CloudFormation's parameters are all text here, a Number's too.
                return str(self.resolve(left)) == str(self.resolve(right))
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::Or": inner}:
                return any(map(self._holds, inner))
            case {"Fn::And": inner}:
                return all(map(self._holds, inner))
            case {"Fn::Or": inner}:
                return any(map(self._holds, inner))
            case {"Condition": name}:
                return self.condition(name)
        raise NotImplementedError(rule)

    def _made(self, resource: Mapping[str, Any]) -> bool:
        return "Condition" not in resource or self.condition(resource["Condition"])

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._parameters:
            value = self._parameters[name]
            kind = self._document["Parameters"][name]["Type"]
            return str(value).split(",") if kind == "CommaDelimitedList" else value
        return self._attribute(name)

    def _attribute(self, name: str) -> Any:
        stand_in = f"<{name}>"
        given = self._attributes.get(name, stand_in)
        return [f"amqps://{given}"] if name.endswith(".AmqpEndpoints") else given

    def _substitute(self, text: str, names: Mapping[str, Any]) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name in names:
                return str(self.resolve(names[name]))
            return str(self._attribute(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}!]+)\}", value, text)


def statements(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every policy statement of every role, with the role's name."""
    for name, role in stack.resources("AWS::IAM::Role").items():
        for policy in role.get("Policies", ()):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
