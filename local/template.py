"""What the local runtime reads from `template.yaml`: routes, batches, schedules, time limits.

The template is the one place that names them, so that local and cloud cannot drift apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from yaml.constructor import SafeConstructor

from local.schedule_expressions import Expression, parse
from shared.errors import SettingError

try:
    # Every process reads the template as it starts: libyaml takes 0.02 s for it, Python 0.25 s.
    from yaml import CSafeLoader as _SafeLoader
except ImportError:
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment] # the same interface

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
_FUNCTION = "AWS::Serverless::Function"
_MAPPING = "AWS::Lambda::EventSourceMapping"
# AWS's defaults (SAM guide: Function; Lambda guide, "Using Lambda with Amazon MQ").
_TIMEOUT_SECONDS = 3
_BATCH_SIZE = 100
_WINDOW_SECONDS = 0.5
_EXPRESSION = {"Schedule": "Schedule", "ScheduleV2": "ScheduleExpression"}
"""Types of scheduled events, each with the property that holds its expression."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route to a function.

    Attributes:
        method: upper case, `ANY` for every one.
        path: exact, or ending in `{proxy+}`, which matches whatever follows.
        handler: dotted name of the function that answers.
        seconds: how long it may take.
    """

    method: str
    path: str
    handler: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One schedule of a function.

    Attributes:
        name: of the function and its event in the template, such as RequeueFunction.EveryMinute.
        handler: dotted name of the function that runs.
        seconds: how long a run may take.
        expression: when it runs.
        scheduler: whether EventBridge Scheduler runs it (`ScheduleV2`), not a rule (`Schedule`).
        text: the event as JSON; None for the one that EventBridge makes.
        delivers: whether its runs deliver the queue's messages where there is no broker.
        local_seconds: from one local run to the next; None where the expression decides.
        setting: without which it does not run locally; None where it always does.
    """

    name: str
    handler: str
    seconds: float
    expression: Expression
    scheduler: bool = False
    text: str | None = None
    delivers: bool = False
    local_seconds: float | None = None
    setting: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """The template's part that a local run needs.

    Attributes:
        routes: of all functions.
        schedules: of all functions, but for those that are disabled.
        batch_size: messages in one event at most.
        window_seconds: how long a batch that is not full waits for more.
        worker: dotted name of the worker's handler.
        worker_seconds: how long one batch may take.
    """

    routes: tuple[Route, ...]
    schedules: tuple[Schedule, ...]
    batch_size: int
    window_seconds: float
    worker: str
    worker_seconds: float


class _Parameter(str):
    """The name of a parameter that a value is taken from, `!Ref Name`."""

    __slots__ = ()


class _Loader(_SafeLoader):
    """A loader that reads CloudFormation's tags, such as !GetAtt, as the plain value below them."""


def _tagged(loader: SafeConstructor, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        return _Parameter(text) if tag == "Ref" else text
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else None


_Loader.add_multi_constructor("!", _tagged)


def load(path: Path = TEMPLATE) -> Template:
    """Read the template.

    Raises:
        SettingError: it is missing, or lacks what a local run needs.
    """
    try:
        # A subclass of SafeLoader, which makes nothing but plain data.
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
        return _template(document["Resources"], document.get("Parameters") or {})
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise SettingError(f"{path.name}: {type(error).__name__} {error}") from error


def _template(resources: Mapping[str, Any], parameters: Mapping[str, Any]) -> Template:
    named = {name: r for name, r in resources.items() if r.get("Type") == _FUNCTION}
    functions = [resource["Properties"] for resource in named.values()]
    worker, queue = _worker(named, resources)
    return Template(
        routes=tuple(
            Route(e["Method"].upper(), e["Path"], f["Handler"], _timeout(f))
            for f in functions
            for e in _events("HttpApi", f)
        ),
        schedules=tuple(
            schedule
            for name, resource in named.items()
            for schedule in _schedules(name, resource, parameters)
        ),
        batch_size=int(queue.get("BatchSize", _BATCH_SIZE)),
        window_seconds=float(queue.get("MaximumBatchingWindowInSeconds", _WINDOW_SECONDS)),
        worker=worker["Handler"],
        worker_seconds=_timeout(worker),
    )


def _events(kind: str, function: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for event in (function.get("Events") or {}).values():
        if event["Type"] == kind:
            yield event["Properties"]


def _worker(
    functions: Mapping[str, Any], resources: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the function that is given RabbitMQ's messages, and its event source mapping.

    Raises:
        ValueError: there is no such mapping, or more than one.
    """
    mappings = [r["Properties"] for r in resources.values() if r.get("Type") == _MAPPING]
    found = [mapping for mapping in mappings if "Queues" in mapping]
    if len(found) != 1:
        raise ValueError(f"expected one event source mapping of RabbitMQ, found {len(found)}")
    return functions[found[0]["FunctionName"]]["Properties"], found[0]


def _timeout(function: Mapping[str, Any]) -> float:
    return float(function.get("Timeout", _TIMEOUT_SECONDS))


def _schedules(
    function: str, resource: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Iterator[Schedule]:
    """Yield the enabled schedules of one function.

    Args:
        function: its logical id.
        resource: the function's resource.
        parameters: the template's parameters, whose defaults replace their names.

    Raises:
        ValueError: a schedule cannot be run; the text names it and its expression.
    """
    properties = resource["Properties"]
    metadata = resource.get("Metadata") or {}
    for name, event in (properties.get("Events") or {}).items():
        if event["Type"] not in _EXPRESSION:
            continue
        given = {key: _value(v, parameters) for key, v in event["Properties"].items()}
        expression = given[_EXPRESSION[event["Type"]]]
        try:
            if not _enabled(given):
                continue
            yield Schedule(
                name=f"{function}.{name}",
                handler=properties["Handler"],
                seconds=_timeout(properties),
                expression=parse(expression, _zone(given.get("ScheduleExpressionTimezone"))),
                scheduler=event["Type"] == "ScheduleV2",
                text=_json(given.get("Input")),
                delivers=metadata.get("DeliversWithoutBroker") is True,
                local_seconds=_seconds(metadata.get("RunsLocallyEvery")),
                setting=metadata.get("RunsLocallyWith"),
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"{function}.{name}: {expression}: {error}") from error


def _value(value: Any, parameters: Mapping[str, Any]) -> Any:
    """Return a property's value; a parameter is replaced by its default."""
    return parameters[value]["Default"] if isinstance(value, _Parameter) else value


def _enabled(given: Mapping[str, Any]) -> bool:
    """Return whether a schedule is to run.

    Raises:
        ValueError: that depends on something that only AWS knows, or on the date.
    """
    for name in ("StartDate", "EndDate"):
        if name in given:
            raise ValueError(f"a local run does not obey {name}")
    switches = {
        str(given.get("Enabled", True)).lower(): ("true", "false"),
        str(given.get("State", "ENABLED")): ("ENABLED", "DISABLED"),
    }
    for found, known in switches.items():
        if found not in known:
            raise ValueError(f"expected {' or '.join(known)}, found {found}")
    return not {"false", "DISABLED"} & set(switches)


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except ZoneInfoNotFoundError as error:
        raise ValueError(f"no time zone {name} on this machine") from error


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)


def _json(text: str | None) -> str | None:
    if text is not None:
        json.loads(text)
    return text
