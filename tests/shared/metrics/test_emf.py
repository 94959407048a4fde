from __future__ import annotations

import json
from typing import Any

import pytest

from shared.metrics.catalog import (
    ATTEMPTS,
    BYTES,
    OBJECT_SECONDS,
    OBJECTS,
    PAUSED,
    STAGE_SECONDS,
    Sample,
)
from shared.metrics.emf import Emitter
from shared.metrics.tally import Tally


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def emitter(tally: Tally, lines: list[str]) -> Emitter:
    return Emitter("ExternalStorageSync/test", tally, lines.append, lambda: 1_700_000_000.5)


def documents(lines: list[str]) -> list[dict[str, Any]]:
    assert not any("\n" in line for line in lines)
    return [json.loads(line) for line in lines]


def test_each_set_of_labels_is_a_line(emitter: Emitter, tally: Tally, lines: list[str]) -> None:
    tally.count(ATTEMPTS, "synced", "ok", by=2)
    tally.count(ATTEMPTS, "retry", "source_unavailable")
    tally.count(BYTES, by=300)
    emitter.emit()
    first, second, third = documents(lines)
    assert first == {
        "_aws": {
            "Timestamp": 1_700_000_000_500,
            "CloudWatchMetrics": [
                {
                    "Namespace": "ExternalStorageSync/test",
                    "Dimensions": [["outcome", "reason"]],
                    "Metrics": [{"Name": "sync_attempts_total", "Unit": "Count"}],
                }
            ],
        },
        "outcome": "synced",
        "reason": "ok",
        "sync_attempts_total": 2,
    }
    assert (second["outcome"], second["sync_attempts_total"]) == ("retry", 1)
    directive = third["_aws"]["CloudWatchMetrics"][0]
    assert directive["Dimensions"] == [[]]
    assert directive["Metrics"] == [{"Name": "sync_bytes_total", "Unit": "Bytes"}]
    assert third["sync_bytes_total"] == 300


def test_nothing_counted_writes_nothing(emitter: Emitter, lines: list[str]) -> None:
    emitter.emit()
    assert lines == []


def test_observations_keep_their_number_and_their_sum(
    emitter: Emitter, tally: Tally, lines: list[str]
) -> None:
    tally.observe(STAGE_SECONDS, [0.003, 0.2, 7.0, 5_000.0], "downloaded")
    emitter.emit()
    (document,) = documents(lines)
    values = document["sync_stage_seconds"]
    assert (len(values), sum(values)) == (4, pytest.approx(5_007.203))
    assert values == sorted(values)


def test_a_line_has_no_more_values_than_cloudwatch_takes(
    emitter: Emitter, tally: Tally, lines: list[str]
) -> None:
    tally.observe(OBJECT_SECONDS, [0.1] * 250)
    emitter.emit()
    sizes = sorted(len(document["sync_object_seconds"]) for document in documents(lines))
    assert sizes == [50, 100, 100]


def test_gauges_are_written_as_they_are(emitter: Emitter, lines: list[str]) -> None:
    emitter.emit_gauges([Sample(OBJECTS, 4, ("failed",)), Sample(OBJECTS, 0, ("queued",))])
    assert [(d["state"], d["sync_objects"]) for d in documents(lines)] == [
        ("failed", 4),
        ("queued", 0),
    ]


def test_a_gauge_that_is_true_or_false_is_written_as_a_number(
    emitter: Emitter, lines: list[str]
) -> None:
    is_paused = {"source": True, "storage": False}
    emitter.emit_gauges([Sample(PAUSED, paused, (part,)) for part, paused in is_paused.items()])
    assert [repr(d["sync_paused"]) for d in documents(lines)] == ["1.0", "0.0"]


def test_an_invocation_writes_before_it_answers(
    emitter: Emitter, tally: Tally, lines: list[str]
) -> None:
    emitter.attach()
    tally.count(BYTES)
    assert tally.on_invocation_end
    tally.on_invocation_end()
    assert len(lines) == 1
