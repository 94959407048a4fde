"""What /metrics answers: totals and gauges in Prometheus's text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, groupby

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from shared.metrics.catalog import GAUGES, TALLIED, Metric, Sample
from shared.metrics.shared_files import SUM, Totals

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def render(totals: Totals, samples: Iterable[Sample]) -> bytes:
    """Return the text; totals of metrics that this version does not have are left out.

    Args:
        totals: of all processes, see `SharedFiles.totals`.
        samples: of the gauges.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(totals, list(samples)))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, totals: Totals, samples: list[Sample]) -> None:
        self._totals = totals
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        for metric in TALLIED:
            values = self._totals.get(metric.name, {})
            yield _histogram(metric, values) if metric.buckets else _counter(metric, values)
        for metric in GAUGES:
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for sample in self._samples:
                if sample.metric is metric:
                    family.add_metric(sample.labels, sample.value)
            yield family


def _counter(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    if not metric.labels:
        values = {(): 0.0, **values}  # so that a rate is known from the first one on
    for labels, value in values.items():
        if len(labels) == len(metric.labels):
            family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    size = len(metric.labels)
    bounds = [f"{bound:g}" for bound in metric.buckets] + ["+Inf"]
    for labels, of_labels in groupby(sorted(values), key=lambda key: key[:size]):
        by_number = {key[-1]: values[key] for key in of_labels if len(key) == size + 1}
        counts = accumulate(by_number.get(str(number), 0.0) for number in range(len(bounds)))
        family.add_metric(labels, list(zip(bounds, counts, strict=True)), by_number.get(SUM, 0.0))
    return family
