from __future__ import annotations

import threading

from shared.errors import LedgerUnavailable, OutOfTime
from shared.metrics.catalog import ATTEMPTS, BYTES, STAGE_SECONDS
from shared.metrics.tally import Tally, reason_class


def test_counts_of_one_set_of_labels_add_up() -> None:
    tally = Tally()
    tally.count(ATTEMPTS, "synced", "ok", by=3)
    tally.count(ATTEMPTS, "synced", "ok")
    tally.count(ATTEMPTS, "failed", "object_missing")
    assert tally.take().counts == {
        (ATTEMPTS, ("synced", "ok")): 4,
        (ATTEMPTS, ("failed", "object_missing")): 1,
    }
    assert tally.take().counts == {}


def test_an_observation_falls_into_the_first_bucket_that_holds_it() -> None:
    tally = Tally()
    tally.observe(STAGE_SECONDS, [0.005, 0.006, 9_999.0, -1.0], "accepted")
    found = tally.take().durations[STAGE_SECONDS, ("accepted",)]
    assert (found.buckets[0], found.buckets[1], found.buckets[-1]) == (2, 1, 1)
    assert sum(found.buckets) == 4
    assert found.total == 0.005 + 0.006 + 9_999.0


def test_what_could_not_be_exported_is_kept() -> None:
    tally = Tally()
    tally.count(BYTES, by=5)
    tally.observe(STAGE_SECONDS, [1.0], "placed")
    taken = tally.take()
    tally.count(BYTES, by=2)
    tally.observe(STAGE_SECONDS, [2.0], "placed")
    tally.put_back(taken)
    found = tally.take()
    assert found.counts[BYTES, ()] == 7
    assert found.durations[STAGE_SECONDS, ("placed",)].total == 3.0
    assert sum(found.durations[STAGE_SECONDS, ("placed",)].buckets) == 2


def test_threads_lose_no_count() -> None:
    tally = Tally()

    def add() -> None:
        for _ in range(5_000):
            tally.count(BYTES)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.take().counts[BYTES, ()] == 20_000


def test_a_child_does_not_export_what_its_parent_counted() -> None:
    tally = Tally()
    tally.count(BYTES)
    tally.forget()
    assert tally.take().counts == {}


def test_a_reason_is_a_class_in_snake_case() -> None:
    assert reason_class(LedgerUnavailable) == "ledger_unavailable"
    assert reason_class(OutOfTime) == "out_of_time"
