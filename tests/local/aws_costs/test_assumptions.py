from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from local.aws_costs.assumptions import Assumptions
from shared.ledger.ledger import Ledger
from shared.metrics import catalog, readings
from shared.metrics.catalog import Sample
from shared.metrics.emf import Emitter
from shared.metrics.tally import Tally
from shared.queue.rabbitmq.topology import DEAD, QUEUE

ASSUMED = Assumptions()
NAMESPACE = "ExternalStorageSync/external-storage-sync"
STAGES = ("delivered", "downloaded", "durable", "placed", "recorded")
COPIED = 6 + len(STAGES) + 2
"""Metrics that a file leaves: at ingest the request, the confirm and the stage, at the worker the
attempt, the bytes, the time and the stages; of stats and admin a request each."""


def written(count: Callable[[Tally], None]) -> int:
    """Return how many bytes of metrics an invocation writes."""
    lines: list[str] = []
    tally = Tally()
    count(tally)
    Emitter(NAMESPACE, tally, lines.append).emit()
    return sum(len(line) + 1 for line in lines)


def ingest(tally: Tally) -> None:
    tally.count(catalog.REQUESTS, "ingest", "201", "ok")
    tally.count(catalog.MESSAGES_CONFIRMED)
    tally.observe(catalog.STAGE_SECONDS, [0.034], "accepted")


def worker(files: int) -> Callable[[Tally], None]:
    def copied(tally: Tally) -> None:
        tally.count(catalog.ATTEMPTS, "synced", "ok", by=files)
        tally.count(catalog.BYTES, by=files * 100_000)
        tally.observe(catalog.OBJECT_SECONDS, [0.734] * files)
        for stage in STAGES:
            tally.observe(catalog.STAGE_SECONDS, [0.0341] * files, stage)

    return copied


def gauges(url: str) -> list[Sample]:
    with closing(Ledger.at(url)) as ledger:
        queues = [Sample(catalog.QUEUE_MESSAGES, 0, (name,)) for name in (QUEUE, DEAD)]
        ratio = Sample(catalog.VERIFIED_RATIO, 1.0)  # not before there is a file
        return [*readings.of_ledger(ledger), ratio, *queues]


def test_the_metrics_of_an_invocation_have_about_as_many_bytes() -> None:
    assert written(ingest) == pytest.approx(ASSUMED.ingest_metric_bytes, rel=0.2)
    assert written(worker(1)) == pytest.approx(ASSUMED.batch_metric_bytes, rel=0.2)
    thirty = ASSUMED.batch_metric_bytes + 30 * ASSUMED.object_metric_bytes
    assert written(worker(30)) == pytest.approx(thirty, rel=0.2)
    request = written(lambda tally: tally.count(catalog.REQUESTS, "stats", "200", "ok"))
    assert request == pytest.approx(ASSUMED.request_metric_bytes, rel=0.2)


def test_the_gauges_of_a_run_have_about_as_many_bytes(database_url: str) -> None:
    lines: list[str] = []
    Emitter(NAMESPACE, Tally(), lines.append).emit_gauges(gauges(database_url))
    assert sum(len(line) + 1 for line in lines) == pytest.approx(ASSUMED.gauge_bytes, rel=0.2)


def test_there_are_as_many_metrics_as_assumed(database_url: str) -> None:
    assert len(gauges(database_url)) + COPIED == ASSUMED.metrics


def test_an_assumption_can_be_replaced() -> None:
    found = ASSUMED.replaced({"ingest_seconds": "0.1", "stats_requests": "0"})
    assert (found.ingest_seconds, found.stats_requests, found.metrics) == (0.1, 0, 31)


@pytest.mark.parametrize("given", [{"ingest": "1"}, {"ingest_seconds": "fast"}])
def test_what_is_no_assumption_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"ingest|fast"):
        ASSUMED.replaced(given)


def test_every_assumption_says_of_what() -> None:
    assert ("ingest_seconds", "0.06", "one request at ingest") in ASSUMED.table()
    assert all(about for _, _, about in ASSUMED.table())
