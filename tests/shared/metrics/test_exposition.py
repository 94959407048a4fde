from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from shared.metrics import catalog
from shared.metrics.catalog import ALL, ATTEMPTS, OBJECT_SECONDS, UP, Sample
from shared.metrics.exposition import render
from shared.metrics.shared_files import SUM

PARSED = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: bytes) -> PARSED:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_counters_gauges_and_histograms_read_back_as_they_are() -> None:
    totals: dict[str, dict[tuple[str, ...], float]] = {
        ATTEMPTS.name: {("synced", "ok"): 7.0},
        OBJECT_SECONDS.name: {("0",): 2.0, ("2",): 1.0, (SUM,): 0.03},
        "sync_of_another_version": {(): 1.0},
    }
    found = parsed(render(totals, [Sample(UP, value=False, labels=("queue",))]))
    assert found["sync_attempts_total", (("outcome", "synced"), ("reason", "ok"))] == 7
    assert found["sync_up", (("part", "queue"),)] == 0
    assert found["sync_object_seconds_bucket", (("le", "0.005"),)] == 2
    assert found["sync_object_seconds_bucket", (("le", "0.01"),)] == 2
    assert found["sync_object_seconds_bucket", (("le", "0.025"),)] == 3
    assert found["sync_object_seconds_bucket", (("le", "+Inf"),)] == 3
    assert found["sync_object_seconds_count", ()] == 3
    assert found["sync_object_seconds_sum", ()] == 0.03
    assert not any("another_version" in name for name, _ in found)


def test_a_counter_without_labels_is_there_before_it_counts() -> None:
    assert parsed(render({}, []))["sync_cache_errors_total", ()] == 0


def test_every_metric_is_named() -> None:
    text = render({}, []).decode()
    assert all(f"# HELP {metric.name} " in text for metric in ALL)


def test_names_are_unique_and_follow_prometheus() -> None:
    names = [metric.name for metric in ALL]
    assert len(names) == len(set(names))
    for metric in ALL:
        assert metric.name.endswith("_total") == (metric.kind is catalog.Kind.COUNTER)
        assert list(metric.buckets) == sorted(metric.buckets)
