"""What the local runtime reads from `template.yaml`: routes, batches, limits, schedule.

The template is the one place that names them, so that local and cloud cannot drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shared.errors import SettingError

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
_FUNCTION = "AWS::Serverless::Function"
# AWS's defaults (SAM guide: Function, MQ event; Lambda guide, "Using Lambda with Amazon MQ").
_TIMEOUT_SECONDS = 3
_BATCH_SIZE = 100
_WINDOW_SECONDS = 0.5
_UNIT_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Route:
    """One route to a function.

    Attributes:
        method: upper case, `ANY` for every one.
        path: exact, or ending in `{proxy+}`, which stands for whatever follows.
        handler: dotted name of the function that answers.
        seconds: how long it may take.
    """

    method: str
    path: str
    handler: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Template:
    """The template's part that a local run needs.

    Attributes:
        routes: of all functions.
        queue: name of the worker's queue.
        batch_size: messages in one event at most.
        window_seconds: how long a batch that is not full waits for more.
        worker: dotted name of the worker's handler.
        worker_seconds: how long one batch may take.
        schedule_seconds: pause between two runs of requeue.
    """

    routes: tuple[Route, ...]
    queue: str
    batch_size: int
    window_seconds: float
    worker: str
    worker_seconds: float
    schedule_seconds: float


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's tags, such as !Ref, as the plain value below them."""


def _tagged(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else None


_Loader.add_multi_constructor("!", _tagged)


def load(path: Path = TEMPLATE) -> Template:
    """Reads the template.

    Raises:
        SettingError: it is not there, or lacks what a local run needs.
    """
    try:
        # A subclass of SafeLoader, which makes nothing but plain data.
        document = yaml.load(path.read_text(), _Loader)  # noqa: S506
        return _template(document["Resources"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise SettingError(f"{path.name}: {type(error).__name__} {error}") from error


def _template(resources: Mapping[str, Any]) -> Template:
    functions = [r["Properties"] for r in resources.values() if r.get("Type") == _FUNCTION]
    worker, queue = _only("MQ", functions)
    _, schedule = _only("Schedule", functions)
    return Template(
        routes=tuple(
            Route(e["Method"].upper(), e["Path"], f["Handler"], _timeout(f))
            for f in functions
            for e in _events("HttpApi", f)
        ),
        queue=queue["Queues"][0],
        batch_size=int(queue.get("BatchSize", _BATCH_SIZE)),
        window_seconds=float(queue.get("MaximumBatchingWindowInSeconds", _WINDOW_SECONDS)),
        worker=worker["Handler"],
        worker_seconds=_timeout(worker),
        schedule_seconds=_rate(schedule["Schedule"]),
    )


def _events(kind: str, function: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for event in (function.get("Events") or {}).values():
        if event["Type"] == kind:
            yield event["Properties"]


def _only(
    kind: str, functions: list[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Finds the one event of a kind, with its function."""
    found = [(f, e) for f in functions for e in _events(kind, f)]
    if len(found) != 1:
        raise ValueError(f"expected one {kind} event, found {len(found)}")
    return found[0]


def _timeout(function: Mapping[str, Any]) -> float:
    return float(function.get("Timeout", _TIMEOUT_SECONDS))


def _rate(expression: str) -> float:
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if match is None:
        raise ValueError(f"expected rate(…), found {expression}")
    return float(int(match[1]) * _UNIT_SECONDS[match[2]])
