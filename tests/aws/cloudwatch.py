"""CloudWatch as far as alarms need it: embedded metrics, metric math, and the states of alarms.

By the user guide, "Specification: CloudWatch embedded metric format", "Using math expressions with
CloudWatch metrics" and "Configuring how CloudWatch alarms treat missing data".
"""

from __future__ import annotations

import ast
import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"
MOST_VALUES = 100
"""Values of one metric in a line of embedded metrics."""


class MetricId(NamedTuple):
    """What tells a metric from others.

    Attributes:
        namespace: its namespace.
        name: its name.
        dimensions: names and values, sorted by name.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, metric: Mapping[str, Any]) -> MetricId:
        """Return the metric that an alarm's `Metric`, or the alarm itself, names."""
        pairs = sorted((d["Name"], d["Value"]) for d in metric.get("Dimensions", ()))
        return cls(metric["Namespace"], metric["MetricName"], tuple(pairs))


Data = Mapping[MetricId, Sequence[Sequence[float]]]
"""The observations of each metric, by period, the newest last; an empty one where there are none.
Every metric has as many periods; one that is left out has none."""


def embedded(log: str) -> dict[MetricId, list[float]]:
    """Return the metrics that CloudWatch makes of a function's log."""
    found: dict[MetricId, list[float]] = {}
    for line in log.splitlines():
        if not line.startswith('{"_aws":'):
            continue
        document = json.loads(line)
        assert isinstance(document["_aws"]["Timestamp"], int)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = tuple(sorted((name, document[name]) for name in names))
                assert all(isinstance(value, str) for _, value in dimensions)
                for metric in directive["Metrics"]:
                    value = document[metric["Name"]]
                    values = value if isinstance(value, list) else [value]
                    # Anything else makes CloudWatch leave the metric out, without a word.
                    assert all(type(v) in (int, float) for v in values), line
                    assert len(values) <= MOST_VALUES
                    key = MetricId(directive["Namespace"], metric["Name"], dimensions)
                    found.setdefault(key, []).extend(values)
    return found


def watched(alarm: Mapping[str, Any]) -> list[MetricId]:
    """Return the metrics that an alarm reads."""
    stats = [q["MetricStat"] for q in alarm.get("Metrics", ()) if "MetricStat" in q]
    return [MetricId.of(s["Metric"]) for s in stats] or [MetricId.of(alarm)]


def state(alarm: Mapping[str, Any], data: Data) -> str:
    """Return the state that an alarm has after some periods.

    Args:
        alarm: its properties, resolved.
        data: what was observed; at least as many periods as the alarm evaluates.
    """
    last = _values(alarm, data)[-alarm["EvaluationPeriods"] :]
    assert len(last) == alarm["EvaluationPeriods"], "fewer periods than the alarm evaluates"
    breaches: list[bool | None] = [
        None if value is None else _COMPARE[alarm["ComparisonOperator"]](value, _threshold(alarm))
        for value in last
    ]
    match alarm["TreatMissingData"]:
        case "missing" if not any(breach is not None for breach in breaches):
            return UNKNOWN
        case "breaching":
            breaches = [breach is not False for breach in breaches]
        case "missing" | "notBreaching":
            breaches = [breach is True for breach in breaches]
        case other:
            raise NotImplementedError(other)
    needed = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    return ALARM if sum(map(bool, breaches)) >= needed else OK


_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
}
_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": math.fsum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: math.fsum(values) / len(values),
}


def _threshold(alarm: Mapping[str, Any]) -> float:
    return float(alarm["Threshold"])


def _values(alarm: Mapping[str, Any], data: Data) -> list[float | None]:
    periods = max((len(series) for series in data.values()), default=alarm["EvaluationPeriods"])

    def series(metric: Mapping[str, Any], statistic: str) -> list[float | None]:
        observed = data.get(MetricId.of(metric), [()] * periods)
        return [_STATISTICS[statistic](values) if values else None for values in observed]

    if "Metrics" not in alarm:
        return series(alarm, alarm["Statistic"])
    [expression] = [q["Expression"] for q in alarm["Metrics"] if q.get("ReturnData", True)]
    stats = {q["Id"]: q["MetricStat"] for q in alarm["Metrics"] if "MetricStat" in q}
    named = {key: series(stat["Metric"], stat["Stat"]) for key, stat in stats.items()}
    lengths = {key: float(stat["Period"]) for key, stat in stats.items()}
    tree = ast.parse(expression, mode="eval").body
    return [
        _evaluate(tree, {key: values[at] for key, values in named.items()}, lengths)
        for at in range(periods)
    ]


_OPERATORS: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.GtE: operator.ge,
}


def _evaluate(
    node: ast.expr, values: Mapping[str, float | None], lengths: Mapping[str, float]
) -> float | None:
    """Return an expression's value in one period; None where a metric that it needs has none."""

    def each(nodes: Iterable[ast.expr]) -> list[float | None]:
        return [_evaluate(one, values, lengths) for one in nodes]

    match node:
        case ast.Constant():
            return float(ast.literal_eval(node))
        case ast.Name(id=name):
            return values[name]
        case (
            ast.BinOp(left=left, op=op, right=right)
            | ast.Compare(left=left, ops=[op], comparators=[right])
        ):
            first, second = each([left, right])
            missing = first is None or second is None
            return None if missing else _OPERATORS[type(op)](first, second)  # type: ignore[arg-type]
        case ast.Call(func=ast.Name(id="FILL"), args=[series, filler]):
            found, otherwise = each([series, filler])
            return otherwise if found is None else found
        case ast.Call(func=ast.Name(id="PERIOD"), args=[ast.Name(id=name)]):
            return lengths[name]
        case ast.Call(func=ast.Name(id="IF"), args=[condition, yes, no]):
            holds, then, otherwise = each([condition, yes, no])
            return None if holds is None else then if holds else otherwise
        case ast.Call(func=ast.Name(id="MIN"), args=[ast.List(elts=elements)]):
            present = [value for value in each(elements) if value is not None]
            return min(present, default=None)
    raise NotImplementedError(ast.unparse(node))
