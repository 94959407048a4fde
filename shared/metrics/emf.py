"""Metrics on Lambda: lines in CloudWatch's embedded metric format, on standard output.

CloudWatch makes metrics of such lines by itself ("Specification: CloudWatch embedded metric
format"), without a call that an invocation would wait for. A line holds one value for each
dimension, so each set of labels is a line of its own. Names are the same as on /metrics.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat

from shared.metrics.catalog import Kind, Metric, Sample
from shared.metrics.tally import Durations, Tally

MOST_VALUES = 100
"""Values of one metric in a line, by the specification; longer arrays are ignored."""


class Emitter:
    """Writes what a tally has counted.

    Args:
        namespace: the metrics' namespace in CloudWatch.
        tally: what was counted.
        write: takes a line, without its end.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        namespace: str,
        tally: Tally,
        write: Callable[[str], object] = print,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._namespace = namespace
        self._tally = tally
        self._write = write
        self._clock = clock

    def attach(self) -> None:
        """Write at the end of each invocation."""
        self._tally.on_invocation_end = self.emit

    def emit(self) -> None:
        """Write what was counted since the last time, nothing if nothing was."""
        counted = self._tally.take()
        lines: dict[tuple[tuple[str, str], ...], dict[Metric, float | list[float]]] = {}
        for (metric, labels), number in counted.counts.items():
            lines.setdefault(_dimensions(metric, labels), {})[metric] = number
        for (metric, labels), durations in counted.durations.items():
            values = _values(metric.buckets, durations)
            first = list(islice(values, MOST_VALUES))
            lines.setdefault(_dimensions(metric, labels), {})[metric] = first
            while more := list(islice(values, MOST_VALUES)):
                self._line(_dimensions(metric, labels), {metric: more})
        for dimensions, values_of in lines.items():
            self._line(dimensions, values_of)

    def emit_gauges(self, samples: Iterable[Sample]) -> None:
        """Write gauges as they are now."""
        lines: dict[tuple[tuple[str, str], ...], dict[Metric, float | list[float]]] = {}
        for sample in samples:
            dimensions = _dimensions(sample.metric, sample.labels)
            # CloudWatch takes numbers only, and a bool would become true or false.
            lines.setdefault(dimensions, {})[sample.metric] = float(sample.value)
        for dimensions, values_of in lines.items():
            self._line(dimensions, values_of)

    def _line(
        self,
        dimensions: Sequence[tuple[str, str]],
        values: Mapping[Metric, float | list[float]],
    ) -> None:
        directive = {
            "Namespace": self._namespace,
            "Dimensions": [[name for name, _ in dimensions]],
            "Metrics": [{"Name": metric.name, "Unit": _unit(metric)} for metric in values],
        }
        document = {
            "_aws": {
                "Timestamp": int(self._clock() * 1000),
                "CloudWatchMetrics": [directive],
            },
            **dict(dimensions),
            **{metric.name: value for metric, value in values.items()},
        }
        self._write(json.dumps(document, separators=(",", ":")))


def _dimensions(metric: Metric, labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(zip(metric.labels, labels, strict=True))


def _values(bounds: Sequence[float], durations: Durations) -> Iterator[float]:
    """Return a value for each observation, by its bucket, their sum as it was observed.

    The sum decides where in their buckets they are: what is known exactly is kept exactly.
    """
    raw = list(
        chain.from_iterable(
            repeat(bounds[min(number, len(bounds) - 1)], count)
            for number, count in enumerate(durations.buckets)
        )
    )
    scale = durations.total / sum(raw) if raw else 0.0
    return (value * scale for value in raw)


def _unit(metric: Metric) -> str:
    """Return CloudWatch's unit, which the metric's name ends in."""
    if metric.kind is Kind.COUNTER:
        return "Bytes" if metric.name.endswith("_bytes_total") else "Count"
    suffix = metric.name.rpartition("_")[2]
    return {"seconds": "Seconds", "bytes": "Bytes", "ratio": "None"}.get(suffix, "Count")
